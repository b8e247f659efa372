// Calendar arithmetic by <chrono>, without the locks and locales of gmtime and strftime.
#include "date.h"
#include <chrono>
#include <cstring>

namespace pausemark {

namespace chrono = std::chrono;
constexpr text months = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr text weekdays = "SunMonTueWedThuFriSat";

static char *put(char *to, text t) noexcept {
    std::memcpy(to, t.data(), t.size());
    return to + t.size();
}

static char *put_digits(char *to, unsigned value, int digits) noexcept {
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        to[i] = static_cast<char>('0' + value % 10);
    return to + digits;
}

static char *put_clock(char *to, std::int64_t second_of_day, text separator = ":") noexcept {
    const auto s = static_cast<unsigned>(second_of_day);
    to = put(put_digits(to, s / 3600, 2), separator);
    to = put(put_digits(to, s / 60 % 60, 2), separator);
    return put_digits(to, s % 60, 2);
}

struct civil {
    chrono::sys_days day;
    chrono::year_month_day date;
    std::int64_t second_of_day;
};

static civil to_civil(std::int64_t unix_s) noexcept {
    const chrono::sys_seconds at{chrono::seconds(unix_s)};
    const auto day = chrono::floor<chrono::days>(at);
    return {day, chrono::year_month_day(day), (at - day).count()};
}

static unsigned year_of(const civil &c) noexcept {
    return static_cast<unsigned>(static_cast<int>(c.date.year()));
}

http_date to_http_date(std::int64_t unix_s) noexcept {
    http_date into;
    const civil c = to_civil(unix_s);
    const std::size_t weekday = chrono::weekday(c.day).c_encoding();
    const std::size_t month = unsigned(c.date.month()) - 1;
    char *to = put(put(into.data(), weekdays.substr(3 * weekday, 3)), ", ");
    to = put(put_digits(to, unsigned(c.date.day()), 2), " ");
    to = put(put(to, months.substr(3 * month, 3)), " ");
    to = put(put_digits(to, year_of(c), 4), " ");
    put(put_clock(to, c.second_of_day), " GMT");
    return into;
}

iso_date to_iso_date(std::int64_t unix_s) noexcept {
    iso_date into;
    const civil c = to_civil(unix_s);
    char *to = put(put_digits(into.data(), year_of(c), 4), "-");
    to = put(put_digits(to, unsigned(c.date.month()), 2), "-");
    to = put(put_digits(to, unsigned(c.date.day()), 2), "T");
    put(put_clock(to, c.second_of_day), ".000Z");
    return into;
}

basic_date to_basic_date(std::int64_t unix_s) noexcept {
    basic_date into;
    const civil c = to_civil(unix_s);
    char *to = put_digits(into.data(), year_of(c), 4);
    to = put_digits(to, unsigned(c.date.month()), 2);
    to = put(put_digits(to, unsigned(c.date.day()), 2), "T");
    put(put_clock(to, c.second_of_day, ""), "Z");
    return into;
}

std::optional<std::int64_t> from_http_date(text a) noexcept {
    if (a.size() != http_date{}.size() || a.substr(25) != " GMT" || a[3] != ',')
        return std::nullopt;
    const std::size_t month = months.find(a.substr(8, 3));
    const auto day = to_u64(a.substr(5, 2)), year = to_u64(a.substr(12, 4));
    const auto hour = to_u64(a.substr(17, 2)), minute = to_u64(a.substr(20, 2));
    const auto second = to_u64(a.substr(23, 2));
    if (month == text::npos || month % 3 != 0 || !day || !year || !hour || !minute || !second)
        return std::nullopt;
    if (*day < 1 || *day > 31 || *hour > 23 || *minute > 59 || *second > 60)
        return std::nullopt;
    const chrono::sys_days midnight = chrono::year(static_cast<int>(*year)) /
                                      chrono::month(static_cast<unsigned>(month / 3 + 1)) /
                                      chrono::day(static_cast<unsigned>(*day));
    return midnight.time_since_epoch().count() * std::int64_t{86400} +
           static_cast<std::int64_t>(*hour * 3600 + *minute * 60 + *second);
}

std::optional<std::int64_t> from_basic_date(text a) noexcept {
    if (a.size() != basic_date{}.size() || a[8] != 'T' || a[15] != 'Z')
        return std::nullopt;
    const auto year = to_u64(a.substr(0, 4)), month = to_u64(a.substr(4, 2));
    const auto day = to_u64(a.substr(6, 2)), hour = to_u64(a.substr(9, 2));
    const auto minute = to_u64(a.substr(11, 2)), second = to_u64(a.substr(13, 2));
    if (!year || !month || !day || !hour || !minute || !second || *hour > 23 || *minute > 59 ||
        *second > 59)
        return std::nullopt;
    const auto date = chrono::year(static_cast<int>(*year)) /
                      chrono::month(static_cast<unsigned>(*month)) /
                      chrono::day(static_cast<unsigned>(*day));
    if (!date.ok())
        return std::nullopt;
    return chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86400} +
           static_cast<std::int64_t>(*hour * 3600 + *minute * 60 + *second);
}

} // namespace pausemark
