// Appends to XML documents: escaped text, percent-encoded names, numbers.
#pragma once
#include "text.h"
#include <string>

namespace pausemark::xml {

inline constexpr text declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
inline constexpr text name_space = " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
inline constexpr text initiator =
    "<Initiator><ID>pausemark</ID><DisplayName>pausemark</DisplayName></Initiator>";
inline constexpr text owner =
    "<Owner><ID>pausemark</ID><DisplayName>pausemark</DisplayName></Owner>";

void add_escaped(std::string &to, text t);
// Percent-encoded for encoding-type=url; '/' is kept.
void add_url(std::string &to, text t);
void add_u64(std::string &to, std::uint64_t value);

} // namespace pausemark::xml
