//! Dates as moment.js writes them, since that is what people's formats are for: its tokens, in English.
//!
//! Source: moment's documentation, "Display". Time zones are those of the IANA database that is built in (`jiff`'s, of the
//! year of its release): the action's image has no files of its own, and a date must not depend on the machine.
//! Its clock is the caller's; the date is a pure function of a moment, a format and a zone.

use jiff::Timestamp;
use jiff::Zoned;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A format, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Format(Vec<Token>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// What stands for a part of the date.
    Field(String),
    /// What stands for itself.
    Text(String),
}

/// A time zone.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Zone(TimeZone);

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

/// What an empty format is.
const DEFAULT: &str = "YYYY-MM-DDTHH:mm:ssZ";

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Formats that have a name, longest first.
const NAMED: [(&str, &str); 10] = [
    ("LTS", "h:mm:ss A"),
    ("LT", "h:mm A"),
    ("LLLL", "dddd, MMMM D, YYYY h:mm A"),
    ("LLL", "MMMM D, YYYY h:mm A"),
    ("LL", "MMMM D, YYYY"),
    ("L", "MM/DD/YYYY"),
    ("llll", "ddd, MMM D, YYYY h:mm A"),
    ("lll", "MMM D, YYYY h:mm A"),
    ("ll", "MMM D, YYYY"),
    ("l", "M/D/YYYY"),
];

impl Zone {
    /// Coordinated Universal Time.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// A zone of the database, by its name in any case.
    pub fn parse(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("utc") {
            return Some(Self::utc());
        }
        TimeZoneDatabase::bundled().get(name).ok().map(Self)
    }
}

impl Format {
    /// Reads a format. Each text is one: what is no token stands for itself.
    pub fn parse(text: &str) -> Self {
        let text = if text.is_empty() { DEFAULT } else { text };
        let characters: Vec<char> = expand(text).chars().collect();
        let (mut tokens, mut at) = (Vec::new(), 0);
        let text_of = |from: usize, to: usize| characters[from..to].iter().collect::<String>();
        while at < characters.len() {
            if let Some(end) = bracket(&characters, at) {
                tokens.push(Token::Text(text_of(at + 1, end)));
                at = end + 1;
                continue;
            }
            let escaped = usize::from(characters[at] == '\\' && at + 1 < characters.len());
            let length = if escaped == 1 && characters[at + 1] == 'e' {
                1
            } else {
                token(&characters[at + escaped..])
            };
            let end = at + escaped + length;
            let whole = text_of(at, end);
            at = end;
            if is_field(&whole) {
                tokens.push(Token::Field(whole));
            } else {
                tokens
                    .push(Token::Text(whole.chars().filter(|c| !matches!(c, '\\' | '\n' | '\r')).collect()));
            }
        }
        Self(tokens)
    }

    /// The date of a moment, in Unix milliseconds. One before or after what a calendar can say is the nearest that it can.
    pub fn render(&self, milliseconds: i64, zone: &Zone) -> String {
        let nearest = if milliseconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let moment = Timestamp::from_millisecond(milliseconds).unwrap_or(nearest);
        let date = Date { moment, zoned: moment.to_zoned(zone.0.clone()) };
        let text = |token: &Token| match token {
            Token::Text(text) => text.clone(),
            Token::Field(field) => date.field(field),
        };
        self.0.iter().map(text).collect()
    }
}

/// Formats that have a name are written out.
fn expand(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    while at < characters.len() {
        let from = at;
        if let Some(end) = bracket(&characters, at) {
            at = end + 1;
            out.extend(&characters[from..at]);
            continue;
        }
        let escaped = usize::from(characters[at] == '\\');
        let starts =
            |name: &str| name.chars().enumerate().all(|(i, c)| characters.get(at + escaped + i) == Some(&c));
        if let Some((name, format)) = NAMED.iter().find(|(name, _)| starts(name)) {
            at += escaped + name.len();
            if escaped == 0 {
                out.push_str(format);
            } else {
                out.extend(&characters[from..at]);
            }
        } else {
            out.push(characters[at]);
            at += 1;
        }
    }
    out
}

/// Where the `[…]` that begins here ends: before the next `[`, as far on as it can.
fn bracket(characters: &[char], start: usize) -> Option<usize> {
    if characters.get(start) != Some(&'[') {
        return None;
    }
    let rest = &characters[start + 1..];
    let limit = rest.iter().position(|c| *c == '[').unwrap_or(rest.len());
    rest[..limit].iter().rposition(|c| *c == ']').map(|at| start + 1 + at)
}

/// How many characters belong to the token that begins here: one, if it is none.
fn token(characters: &[char]) -> usize {
    let Some(first) = characters.first() else { return 0 };
    let run = characters.iter().take_while(|c| *c == first).count();
    let starts = |text: &str| text.chars().enumerate().all(|(i, c)| characters.get(i) == Some(&c));
    let then = |c: char| usize::from(characters.get(1) == Some(&c));
    match first {
        'e' if starts("eHHmm") => 5,
        'H' | 'h' if characters[1..].starts_with(&['m', 'm']) => {
            if characters[3..].starts_with(&['s', 's']) {
                5
            } else {
                3
            }
        }
        'M' | 'D' if then('o') == 1 => 2,
        'D' if starts("DDDo") => 4,
        'M' | 'D' => run.min(4),
        'd' | 'y' if run > 1 => run.min(4),
        'd' | 'y' | 'Q' => 1 + then('o'),
        'w' | 'W' => 1 + then('o').max(then(*first)).max(then('|')),
        'N' => run.min(5),
        'Y' => match run {
            1 => 1,
            2 | 3 => 2,
            more => more.min(6),
        },
        'g' | 'G' => match run {
            1 => 1,
            2 | 3 => 2,
            more => more.min(5),
        },
        'H' | 'h' | 'k' | 'm' | 's' | 'z' | 'Z' => run.min(2),
        'S' => run.min(9),
        _ => 1,
    }
}

/// Whether a text stands for a part of a date.
fn is_field(text: &str) -> bool {
    let mut characters = text.chars();
    match characters.next() {
        Some('g' | 'G') => text.len() > 1,
        Some('w' | 'W') => !text.ends_with('|'),
        Some(
            'M' | 'Q' | 'D' | 'd' | 'e' | 'E' | 'Y' | 'y' | 'N' | 'A' | 'a' | 'H' | 'h' | 'k' | 'm' | 's'
            | 'S' | 'z' | 'Z' | 'X' | 'x',
        ) => true,
        _ => false,
    }
}

struct Date {
    moment: Timestamp,
    zoned: Zoned,
}

impl Date {
    fn field(&self, field: &str) -> String {
        let zoned = &self.zoned;
        let (year, month, day) = (i64::from(zoned.year()), zoned.month(), i64::from(zoned.day()));
        let weekday = zoned.weekday().to_sunday_zero_offset();
        let (hour, minute, second) = (zoned.hour(), zoned.minute(), zoned.second());
        let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
        let day_of_year = i64::from(zoned.day_of_year());
        let iso = zoned.date().iso_week_date();
        let names = |name: &str, length: usize| name[..length].to_owned();
        let month_name = MONTHS[usize::try_from(month - 1).unwrap_or(0) % 12];
        let day_name = DAYS[usize::try_from(weekday).unwrap_or(0) % 7];
        let width = field.len();
        match field {
            "M" | "MM" => filled(i64::from(month), width),
            "Mo" => ordinal(i64::from(month)),
            "MMM" => names(month_name, 3),
            "MMMM" => month_name.into(),
            "Q" => ((month + 2) / 3).to_string(),
            "Qo" => ordinal(i64::from((month + 2) / 3)),
            "D" | "DD" => filled(day, width),
            "Do" => ordinal(day),
            "DDD" => day_of_year.to_string(),
            "DDDD" => filled(day_of_year, 3),
            "DDDo" => ordinal(day_of_year),
            "d" | "e" => weekday.to_string(),
            "do" => ordinal(i64::from(weekday)),
            "dd" => names(day_name, 2),
            "ddd" => names(day_name, 3),
            "dddd" => day_name.into(),
            "E" => zoned.weekday().to_monday_one_offset().to_string(),
            "eHHmm" => format!("{weekday}{hour:02}{minute:02}"),
            "w" | "ww" => filled(self.week().1, width),
            "wo" => ordinal(self.week().1),
            "W" | "WW" => filled(i64::from(iso.week()), width),
            "Wo" => ordinal(i64::from(iso.week())),
            "gg" => filled(self.week().0 % 100, 2),
            "gggg" | "ggggg" => filled(self.week().0, width),
            "GG" => filled(i64::from(iso.year()) % 100, 2),
            "GGGG" | "GGGGG" => filled(i64::from(iso.year()), width),
            "Y" => filled(year, 4),
            "YY" => filled(year % 100, 2),
            "YYYY" | "YYYYY" => filled(year, width),
            "YYYYYY" => format!("{}{:06}", if year < 0 { '-' } else { '+' }, year.abs()),
            "yo" => ordinal(era_year(year)),
            _ if field.starts_with('y') => filled(era_year(year), width),
            "NNNN" => if year > 0 { "Anno Domini" } else { "Before Christ" }.into(),
            _ if field.starts_with('N') => if year > 0 { "AD" } else { "BC" }.into(),
            "A" => if hour < 12 { "AM" } else { "PM" }.into(),
            "a" => if hour < 12 { "am" } else { "pm" }.into(),
            "H" | "HH" => filled(i64::from(hour), width),
            "h" | "hh" => filled(i64::from(twelve), width),
            "k" | "kk" => filled(if hour == 0 { 24 } else { i64::from(hour) }, width),
            "Hmm" => format!("{hour}{minute:02}"),
            "Hmmss" => format!("{hour}{minute:02}{second:02}"),
            "hmm" => format!("{twelve}{minute:02}"),
            "hmmss" => format!("{twelve}{minute:02}{second:02}"),
            "m" | "mm" => filled(i64::from(minute), width),
            "s" | "ss" => filled(i64::from(second), width),
            "X" => self.moment.as_millisecond().div_euclid(1_000).to_string(),
            "x" => self.moment.as_millisecond().to_string(),
            "Z" => self.offset(":"),
            "ZZ" => self.offset(""),
            _ if field.starts_with('z') => zoned.strftime("%Z").to_string(),
            // `S` to `SSSSSSSSS`: the fraction of the second, of which milliseconds are known.
            _ => {
                let digits = format!("{:03}000000", self.moment.as_millisecond().rem_euclid(1_000));
                digits[..width.min(9)].to_owned()
            }
        }
    }

    fn offset(&self, separator: &str) -> String {
        let minutes = self.zoned.offset().seconds() / 60;
        let sign = if minutes < 0 { '-' } else { '+' };
        format!("{sign}{:02}{separator}{:02}", minutes.abs() / 60, minutes.abs() % 60)
    }

    /// The week and its year as in the United States: weeks begin on Sundays, the first has the first of January.
    fn week(&self) -> (i64, i64) {
        let date = self.zoned.date();
        // In days after the Sunday on or before the first of January.
        let lead = i64::from(date.first_of_year().weekday().to_sunday_zero_offset());
        let week = (i64::from(date.day_of_year()) - 1 + lead) / 7 + 1;
        let next = (lead + i64::from(date.days_in_year())) % 7;
        let last = (lead + i64::from(date.days_in_year()) - next) / 7;
        let year = i64::from(date.year());
        if week > last { (year + 1, 1) } else { (year, week) }
    }
}

/// With zeros in front up to this width.
fn filled(number: i64, width: usize) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{:0width$}", number.abs())
}

/// Years before the first are counted backwards.
fn era_year(year: i64) -> i64 {
    if year > 0 { year } else { 1 - year }
}

fn ordinal(number: i64) -> String {
    let suffix = match (number % 100 / 10, number % 10) {
        (1, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Friday 2020-01-10T15:25:50.123Z.
    const FRIDAY: i64 = 1_578_669_950_123;

    fn at(milliseconds: i64, format: &str, zone: &str) -> String {
        Format::parse(format).render(milliseconds, &Zone::parse(zone).expect(zone))
    }

    #[test]
    fn every_token() {
        for (format, expected) in [
            ("YYYYMMDD", "20200110"),
            ("dddd, MMMM Do YYYY, h:mm:ss a", "Friday, January 10th 2020, 3:25:50 pm"),
            ("YYYY-MM-DDTHH:mm:ss.SSS[Z]", "2020-01-10T15:25:50.123Z"),
            ("M Mo MM MMM MMMM", "1 1st 01 Jan January"),
            ("Q Qo", "1 1st"),
            ("D Do DD DDD DDDo DDDD", "10 10th 10 10 10th 010"),
            ("d do dd ddd dddd e E", "5 5th Fr Fri Friday 5 5"),
            ("w wo ww W Wo WW", "2 2nd 02 2 2nd 02"),
            ("Y YY YYYY YYYYY YYYYYY", "2020 20 2020 02020 +002020"),
            ("y yo yy yyyy N NN NNN NNNN NNNNN", "2020 2020th 2020 2020 AD AD AD Anno Domini AD"),
            ("gg gggg ggggg GG GGGG GGGGG", "20 2020 02020 20 2020 02020"),
            ("H HH h hh k kk A a", "15 15 3 03 15 15 PM pm"),
            ("m mm s ss", "25 25 50 50"),
            ("S SS SSS SSSS SSSSSSSSS", "1 12 123 1230 123000000"),
            ("hmm hmmss Hmm Hmmss eHHmm", "325 32550 1525 152550 51525"),
            ("z zz Z ZZ", "UTC UTC +00:00 +0000"),
            ("X x", "1578669950 1578669950123"),
            ("LT|LTS|L|l", "3:25 PM|3:25:50 PM|01/10/2020|1/10/2020"),
            ("LL|ll", "January 10, 2020|Jan 10, 2020"),
            ("LLL|lll", "January 10, 2020 3:25 PM|Jan 10, 2020 3:25 PM"),
            ("LLLL|llll", "Friday, January 10, 2020 3:25 PM|Fri, Jan 10, 2020 3:25 PM"),
            ("[YYYY] \\YYYY \\LT [", "YYYY YYYY LT ["),
            ("[a]b[c]", "abc"),
            ("[a]b]", "a]b"),
            ("[]\\e\\\\x\\", "e1578669950123"),
            ("YYYMMMMM ggg", "202020January1 20g"),
            ("g G w| ß\n", "g G w| ß"),
            ("", "2020-01-10T15:25:50+00:00"),
        ] {
            assert_eq!(at(FRIDAY, format, "UTC"), expected, "{format}");
        }
    }

    #[test]
    fn zones() {
        for (format, zone, expected) in [
            ("YYYYMMDD-HHmmss", "Asia/Tokyo", "20200111-002550"),
            ("HH:mm z Z", "america/new_york", "10:25 EST -05:00"),
            ("HH:mm ZZ", "Asia/Kathmandu", "21:10 +0545"),
            ("HH", "Etc/GMT-14", "05"),
            ("HH z", "Utc", "15 UTC"),
        ] {
            assert_eq!(at(FRIDAY, format, zone), expected, "{zone}");
        }
        for unknown in ["", "Asia/Tokio", "+01:00", "Local", "../etc/localtime", "é"] {
            assert_eq!(Zone::parse(unknown), None, "{unknown}");
        }
    }

    /// Weeks at the turn of years, midnight and noon.
    #[test]
    fn edges_of_the_calendar() {
        for (date, format, expected) in [
            ("2019-12-31T00:00:00Z", "gggg-ww GGGG-WW DDDD H h k", "2020-01 2020-01 365 0 12 24"),
            ("2021-01-01T12:00:00Z", "gggg-ww GGGG-WW h a", "2021-01 2020-53 12 pm"),
            ("2016-12-31T23:00:00Z", "gggg-ww GGGG-WW DDDD", "2016-53 2016-52 366"),
            ("2022-12-31T23:00:00Z", "gggg-ww", "2022-53"),
            ("2024-02-29T00:00:00Z", "Do DDDo Mo Qo", "29th 60th 2nd 1st"),
            ("2024-03-01T00:00:00Z", "Do", "1st"),
            ("2024-03-12T00:00:00Z", "Do", "12th"),
            ("2024-03-23T00:00:00Z", "Do", "23rd"),
        ] {
            let moment: Timestamp = date.parse().unwrap();
            assert_eq!(at(moment.as_millisecond(), format, "UTC"), expected, "{date}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(format in ".*|[\\[\\]\\\\a-zA-Z|]*", milliseconds: i64) {
            let format = Format::parse(&format);
            for zone in ["UTC", "Asia/Tokyo", "America/New_York"] {
                format.render(milliseconds, &Zone::parse(zone).unwrap());
            }
        }
    }
}
