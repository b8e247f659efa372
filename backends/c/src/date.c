// Dates between Unix seconds and the two forms that S3 speaks; own arithmetic, as gmtime_r takes a
// lock.
#include "text.h"

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char weekdays[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};

struct civil {
    int64_t year;
    int month, day, hour, minute, second, weekday;
};

// Days to civil date in the proleptic Gregorian calendar, counted from 1 March of year 0.
static struct civil civil_from(int64_t unix_s) {
    int64_t days = unix_s / 86400, rest = unix_s % 86400;
    int64_t z = days + 719468;
    int64_t era = z / 146097, day_of_era = z % 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    struct civil c;
    c.day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
    c.month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    c.year = year_of_era + era * 400 + (c.month <= 2 ? 1 : 0);
    c.hour = (int)(rest / 3600);
    c.minute = (int)(rest / 60 % 60);
    c.second = (int)(rest % 60);
    c.weekday = (int)(days % 7);
    return c;
}

static int64_t days_from(int64_t year, int month, int day) {
    year -= month <= 2 ? 1 : 0;
    int64_t era = year / 400, year_of_era = year % 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static char *put_digits(char *to, int64_t value, int digits) {
    for (int i = digits - 1; i >= 0; i--) {
        to[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return to + digits;
}

static char *put_clock(char *to, const struct civil *c) {
    to = put_digits(to, c->hour, 2);
    *to++ = ':';
    to = put_digits(to, c->minute, 2);
    *to++ = ':';
    return put_digits(to, c->second, 2);
}

void text_put_http_date(char *to, int64_t unix_s) {
    struct civil c = civil_from(unix_s);
    memcpy(to, weekdays[c.weekday], 3);
    memcpy(to + 3, ", ", 2);
    to = put_digits(to + 5, c.day, 2);
    *to++ = ' ';
    memcpy(to, months[c.month - 1], 3);
    to[3] = ' ';
    to = put_digits(to + 4, c.year, 4);
    *to++ = ' ';
    to = put_clock(to, &c);
    memcpy(to, " GMT", 4);
}

void text_put_iso_date(char *to, int64_t unix_s) {
    struct civil c = civil_from(unix_s);
    to = put_digits(to, c.year, 4);
    *to++ = '-';
    to = put_digits(to, c.month, 2);
    *to++ = '-';
    to = put_digits(to, c.day, 2);
    *to++ = 'T';
    to = put_clock(to, &c);
    memcpy(to, ".000Z", 5);
}

void text_put_basic_date(char *to, int64_t unix_s) {
    struct civil c = civil_from(unix_s);
    to = put_digits(to, c.year, 4);
    to = put_digits(to, c.month, 2);
    to = put_digits(to, c.day, 2);
    *to++ = 'T';
    to = put_digits(to, c.hour, 2);
    to = put_digits(to, c.minute, 2);
    to = put_digits(to, c.second, 2);
    *to = 'Z';
}

static bool number(struct text a, size_t at, size_t digits, int *value) {
    uint64_t parsed;
    if (!text_to_u64((struct text){a.p + at, digits}, &parsed))
        return false;
    *value = (int)parsed;
    return true;
}

bool text_from_http_date(struct text a, int64_t *unix_s) {
    int day, year, hour, minute, second, month = 0;
    if (a.n != HTTP_DATE_BYTES || memcmp(a.p + 25, " GMT", 4) != 0 || a.p[3] != ',')
        return false;
    for (int i = 0; i < 12; i++) {
        if (memcmp(a.p + 8, months[i], 3) == 0)
            month = i + 1;
    }
    if (month == 0 || !number(a, 5, 2, &day) || !number(a, 12, 4, &year) ||
        !number(a, 17, 2, &hour) || !number(a, 20, 2, &minute) || !number(a, 23, 2, &second))
        return false;
    if (day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    *unix_s = days_from(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}

bool text_from_basic_date(struct text a, int64_t *unix_s) {
    int year, month, day, hour, minute, second;
    char again[BASIC_DATE_BYTES];
    if (a.n != sizeof again || !number(a, 0, 4, &year) || !number(a, 4, 2, &month) ||
        !number(a, 6, 2, &day) || !number(a, 9, 2, &hour) || !number(a, 11, 2, &minute) ||
        !number(a, 13, 2, &second) || year < 1970)
        return false;
    *unix_s = days_from(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    text_put_basic_date(again,
                        *unix_s); // what is no date, or has other marks, comes back different
    return text_is(a, (struct text){again, sizeof again});
}
