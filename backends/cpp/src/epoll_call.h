// A call of the epoll stack, by whichever protocol its request came.
#pragma once
#include "call.h"

namespace pausemark::epoll {

class epoll_call : public call {
  public:
    using call::call;
    // The log has given back all that was waited for.
    virtual void on_commit() = 0;

  protected:
    ~epoll_call() = default;
};

} // namespace pausemark::epoll
