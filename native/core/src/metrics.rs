//! Numbers about the service, as Prometheus reads them (its text format, version 0.0.4).

use std::fmt::Write;

use crate::meter::Summary;

/// The numbers of one vhost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbers<'a> {
    /// The vhost.
    pub host: &'a str,
    /// Names that [`KNOWN`] has, each with its value.
    pub values: Vec<(&'a str, u64)>,
    /// What was measured, by what it was measured of: the name of a family, with `_seconds` behind it.
    pub times: Vec<(&'a str, Summary)>,
}

/// A number's name, its type in Prometheus, and what it says.
pub const KNOWN: [(&str, &str, &str); 17] = [
    ("pushed_total", "counter", "Messages handed to sessions."),
    (
        "routed_total",
        "counter",
        "Messages handed to the router for other servers.",
    ),
    (
        "relayed_total",
        "counter",
        "Stanzas that brought posts to a whole server.",
    ),
    (
        "withheld_total",
        "counter",
        "Messages that a block kept back.",
    ),
    (
        "not_pushed_total",
        "counter",
        "Posts not pushed because too many waited.",
    ),
    (
        "heard_total",
        "counter",
        "What was heard of posts on other servers.",
    ),
    (
        "refused_total",
        "counter",
        "What other servers told, and was not taken.",
    ),
    (
        "dropped_total",
        "counter",
        "Changes of which another server was not told.",
    ),
    ("waiting_bytes", "gauge", "Posts that wait to be pushed."),
    (
        "under_way_bytes",
        "gauge",
        "Messages that wait for their sessions.",
    ),
    (
        "index_bytes",
        "gauge",
        "Memory that says which posts there are.",
    ),
    (
        "cache_bytes",
        "gauge",
        "Memory of the payloads of recent posts.",
    ),
    (
        "rights_bytes",
        "gauge",
        "Memory of what is known of rosters.",
    ),
    ("authors", "gauge", "Authors whose posts are in memory."),
    ("posts", "gauge", "Posts in memory."),
    ("payloads", "gauge", "Payloads in memory."),
    ("online_users", "gauge", "Users who have a session."),
];

const TIMES: [(&str, &str); 2] = [
    (
        "push",
        "From the storage of a post to the last of its recipients.",
    ),
    ("read", "Requests that read the tree or its posts."),
];

/// All numbers of all vhosts, each family once. What has another name is left out. Cost: O(bytes).
#[must_use]
pub fn prometheus(all: &[Numbers<'_>]) -> String {
    let mut text = String::new();
    for (name, kind, help) in KNOWN {
        head(&mut text, name, kind, help);
        for numbers in all {
            let host = label(numbers.host);
            for (_, value) in numbers.values.iter().filter(|(other, _)| *other == name) {
                line(&mut text, &format!("{name}{{host=\"{host}\"}}"), value);
            }
        }
    }
    for (of, help) in TIMES {
        head(&mut text, &format!("{of}_seconds"), "summary", help);
        for numbers in all {
            let host = label(numbers.host);
            for (_, times) in numbers.times.iter().filter(|(other, _)| *other == of) {
                let quantiles = [
                    ("0.5", times.p50),
                    ("0.9", times.p90),
                    ("0.99", times.p99),
                    ("1", times.max),
                ];
                for (quantile, micros) in quantiles {
                    let sample = format!("{of}_seconds{{host=\"{host}\",quantile=\"{quantile}\"}}");
                    line(&mut text, &sample, seconds(micros));
                }
                line(
                    &mut text,
                    &format!("{of}_seconds_sum{{host=\"{host}\"}}"),
                    seconds(times.sum),
                );
                line(
                    &mut text,
                    &format!("{of}_seconds_count{{host=\"{host}\"}}"),
                    times.count,
                );
            }
        }
    }
    text
}

// Writing to a string does not fail.

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(
        text,
        "# HELP twitter_{name} {help}\n# TYPE twitter_{name} {kind}"
    );
}

fn line(text: &mut String, sample: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "twitter_{sample} {value}");
}

fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn label(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_once() {
        let times = Summary {
            count: 3,
            sum: 2_000_001,
            p50: 1,
            p90: 20,
            p99: 300,
            max: 1_999_980,
        };
        let numbers = |host| Numbers {
            host,
            values: vec![("posts", 7), ("pushed_total", 5), ("nonsense", 1)],
            times: vec![("read", times)],
        };
        let text = prometheus(&[numbers("a.org"), numbers("\"b\\\n")]);
        assert!(!text.contains("nonsense"));
        let has = |lines: &str| assert!(text.contains(lines), "{lines} is not in {text}");
        has(
            "# HELP twitter_posts Posts in memory.\n# TYPE twitter_posts gauge\n\
             twitter_posts{host=\"a.org\"} 7\ntwitter_posts{host=\"\\\"b\\\\\\n\"} 7\n#",
        );
        has("# TYPE twitter_pushed_total counter\ntwitter_pushed_total{host=\"a.org\"} 5\n");
        has("# TYPE twitter_read_seconds summary\n\
             twitter_read_seconds{host=\"a.org\",quantile=\"0.5\"} 0.000001\n");
        has(
            "twitter_read_seconds{host=\"a.org\",quantile=\"1\"} 1.999980\n\
             twitter_read_seconds_sum{host=\"a.org\"} 2.000001\n\
             twitter_read_seconds_count{host=\"a.org\"} 3\n",
        );
        assert_eq!(text.matches("# TYPE").count(), KNOWN.len() + TIMES.len());
    }
}
