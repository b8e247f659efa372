// A file descriptor that closes itself unless it is released.
#pragma once
#include <unistd.h>
#include <utility>

namespace pausemark {

class descriptor {
  public:
    explicit descriptor(int fd = -1) noexcept : fd_(fd) {}
    descriptor(descriptor &&from) noexcept : fd_(from.release()) {}
    descriptor &operator=(descriptor &&from) noexcept {
        std::swap(fd_, from.fd_);
        return *this;
    }
    ~descriptor() {
        if (fd_ >= 0)
            ::close(fd_);
    }
    [[nodiscard]] int get() const noexcept {
        return fd_;
    }
    [[nodiscard]] explicit operator bool() const noexcept {
        return fd_ >= 0;
    }
    [[nodiscard]] int release() noexcept {
        return std::exchange(fd_, -1);
    }

  private:
    int fd_;
};

} // namespace pausemark
