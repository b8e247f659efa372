// The links by which a connection stands in its worker's lists.
#pragma once
#include <boost/intrusive/list.hpp>

namespace pausemark {

template <class of>
using link_in =
    boost::intrusive::list_base_hook<boost::intrusive::tag<of>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

using all_link = link_in<struct every_connection>;   // of the worker
using timed_link = link_in<struct timed_connection>; // that owes us bytes, the longest silent first
using ready_link = link_in<struct ready_connection>; // that has something to send, all of a sudden
using commit_link = link_in<struct waiting_connection>; // that waits for the log, open or closed

template <class item, class link>
using list_by = boost::intrusive::list<item, boost::intrusive::base_hook<link>,
                                       boost::intrusive::constant_time_size<false>>;

} // namespace pausemark
