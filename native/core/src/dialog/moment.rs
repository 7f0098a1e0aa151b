//! Dates and moments as XMPP writes them (XEP-0082).

const MICROS: u64 = 1_000_000;
const DAY: u64 = 86_400;
const MONTHS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// The moment that `2008-05-01`, its beginning in UTC, or `2008-05-01T10:00:00+02:00` names, in microseconds
/// since the Unix epoch; fractions of a second are dropped. `None` for anything else, and before 1970.
///
/// ```
/// use twitter_core::dialog::parse_moment;
/// assert_eq!(parse_moment("1970-01-02"), Some(86_400_000_000));
/// assert_eq!(parse_moment("1970-01-02T02:00:01.5+02:00"), Some(86_401_000_000));
/// assert_eq!(parse_moment("1970-02-30"), None);
/// ```
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let day = day(date)?.checked_mul(DAY)?;
    let seconds = match time {
        None => day,
        Some(time) => {
            let zone_at = time.find(['Z', '+', '-'])?;
            let (time, zone) = time.split_at_checked(zone_at)?;
            let local = day.checked_add(second_of_day(time)?)?;
            match zone.split_at_checked(1)? {
                ("Z", "") => local,
                ("+", offset) => local.checked_sub(minutes(offset)?.checked_mul(60)?)?,
                ("-", offset) => local.checked_add(minutes(offset)?.checked_mul(60)?)?,
                _ => return None,
            }
        }
    };
    seconds.checked_mul(MICROS)
}

/// Days since the epoch.
fn day(date: &str) -> Option<u64> {
    let (year, rest) = number(date, 4)?;
    let (month, rest) = number(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = number(rest.strip_prefix('-')?, 2)?;
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let index = usize::try_from(month).ok()?.checked_sub(1)?;
    let february = u64::from(leap(year));
    let length = MONTHS.get(index)?.checked_add(match month {
        2 => february,
        _ => 0,
    })?;
    if !rest.is_empty() || year < 1970 || day < 1 || day > length {
        return None;
    }
    // Leap years up to that one.
    let leaps = |year: u64| {
        Some(
            (year / 4)
                .checked_sub(year / 100)?
                .saturating_add(year / 400),
        )
    };
    let before = year.checked_sub(1)?;
    let years = year.checked_sub(1970)?.checked_mul(365)?;
    let extra = leaps(before)?.checked_sub(leaps(1969)?)?;
    let months: u64 = MONTHS.get(..index)?.iter().sum();
    let passed = if month > 2 { february } else { 0 };
    years
        .checked_add(extra)?
        .checked_add(months)?
        .checked_add(passed)?
        .checked_add(day.checked_sub(1)?)
}

fn second_of_day(time: &str) -> Option<u64> {
    let (clock, rest) = time.split_at_checked(5)?;
    let (second, rest) = number(rest.strip_prefix(':')?, 2)?;
    let fraction = rest.strip_prefix('.');
    let is_whole = match fraction {
        Some(digits) => !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => rest.is_empty(),
    };
    if second > 59 || !is_whole {
        return None;
    }
    minutes(clock)?.checked_mul(60)?.checked_add(second)
}

/// `hh:mm`
fn minutes(text: &str) -> Option<u64> {
    let (hour, rest) = number(text, 2)?;
    let (minute, rest) = number(rest.strip_prefix(':')?, 2)?;
    if hour > 23 || minute > 59 || !rest.is_empty() {
        return None;
    }
    hour.checked_mul(60)?.checked_add(minute)
}

/// A number of so many digits, and what follows.
fn number(text: &str, digits: usize) -> Option<(u64, &str)> {
    let (number, rest) = text.split_at_checked(digits)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments() {
        let second = |text| parse(text).map(|micros| micros / MICROS);
        assert_eq!(second("2008-05-01"), Some(1_209_600_000));
        assert_eq!(second("2000-02-29"), Some(951_782_400));
        assert_eq!(second("2000-03-01T00:00:00Z"), Some(951_868_800));
        assert_eq!(second("2026-12-24T18:30:00Z"), Some(1_798_137_000));
        assert_eq!(second("2026-12-24T18:30:00-06:00"), Some(1_798_158_600));
        assert_eq!(second("9999-12-31T23:59:59.999999Z"), Some(253_402_300_799));
    }

    #[test]
    fn no_moments() {
        for text in [
            "",
            "2008",
            "2008-05",
            "2008-5-1",
            "2008-13-01",
            "2008-00-01",
            "2008-05-00",
            "2008-05-32",
            "1900-02-29",
            "2100-02-29",
            "1969-12-31",
            "1970-01-01T00:00:00+01:00",
            "2008-05-01T",
            "2008-05-01T10:00",
            "2008-05-01T10:00:00",
            "2008-05-01T24:00:00Z",
            "2008-05-01T10:60:00Z",
            "2008-05-01T10:00:60Z",
            "2008-05-01T10:00:00.Z",
            "2008-05-01T10:00:00ZZ",
            "2008-05-01T10:00:00+2",
            "+008-05-01",
            "2008-05-01 ",
            "é008-05-01",
            "2008-05-01T1é:00:00Z",
            "99999-01-01",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        /// Days follow one another, found by walking.
        #[test]
        fn each_day_is_one_later(year in 1970u64..2400) {
            let leap = parse(&format!("{year}-02-29")).is_some();
            let mut last = parse(&format!("{year}-01-01"));
            for (month, days) in (1u64..).zip(MONTHS) {
                let days = days + u64::from(leap && month == 2);
                for day in 1..=days {
                    let now = parse(&format!("{year}-{month:02}-{day:02}"));
                    if (month, day) != (1, 1) {
                        prop_assert_eq!(now, last.map(|last| last + DAY * MICROS));
                    }
                    last = now;
                }
                let beyond = format!("{year}-{month:02}-{:02}", days + 1);
                prop_assert_eq!(parse(&beyond), None);
            }
            let new_year = parse(&format!("{}-01-01", year + 1));
            prop_assert_eq!(new_year, last.map(|last| last + DAY * MICROS));
        }

        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = parse(&text);
        }

        #[test]
        fn nearly_a_moment(text in "[0-9]{3,5}-[0-9]{1,3}-[0-9]{1,2}T?[0-9:.]{0,12}[Z+-]?[0-9:]{0,6}") {
            let _ = parse(&text);
        }
    }
}
