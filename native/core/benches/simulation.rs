//! The core of a big server: users and their contacts by a power law, all their posts in memory, and
//! people who publish and read.
//!
//! The rosters themselves are the server's, here two lists of numbers; of what the core remembers of
//! them and of posts, the memory is measured as the process takes it. Prints one line of JSON.
//!
//! Run: `cargo bench -p twitter_core --bench simulation -- USERS EDGES_EACH POSTS_EACH`, by default
//! 1000000 50 10; it needs about 3 GB then, and some minutes.
// A panic is a wrong result; sizes are constants, numbers of users fit 32 bits.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]
#![allow(clippy::cast_possible_truncation)]

use std::time::Instant;

use twitter_core::fanout::{Next, Recipients};
use twitter_core::jid::BareJid;
use twitter_core::online::Online;
use twitter_core::rosters::Rosters;
use twitter_core::service::{Hold, Offer, Service};
use twitter_core::stream::{Micros, Place};
use twitter_core::timeline::{Anchor, Order, Request};

const DOMAIN: &str = "example.org";
/// Of so many users one is online.
const ONLINE: u32 = 20;
const OPERATIONS: usize = 20_000;

/// A well mixed number that depends on nothing but its argument (splitmix64).
fn mixed(n: u64) -> u64 {
    let n = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// A number below `limit`, small ones far more often: the k-th with a frequency near k to the -0.75.
fn popular(random: u64, limit: u32) -> u32 {
    let unit = (random >> 11) as f64 / (1u64 << 53) as f64;
    (unit.powi(4) * f64::from(limit)) as u32
}

fn name(user: u32) -> String {
    format!("user{user}@{DOMAIN}")
}

fn jid(user: u32) -> BareJid {
    BareJid::parse(&name(user)).unwrap_or_else(|e| panic!("{user}: {e}"))
}

/// Neighbours of each user, as rows of one list.
struct Rows {
    starts: Vec<u32>,
    all: Vec<u32>,
}

impl Rows {
    fn new(users: u32, edges: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        let mut starts = vec![0u32; users as usize + 1];
        for (from, _) in edges.clone() {
            starts[from as usize + 1] += 1;
        }
        for user in 0..users as usize {
            starts[user + 1] += starts[user];
        }
        let mut next = starts.clone();
        let mut all = vec![0; starts[users as usize] as usize];
        for (from, to) in edges {
            all[next[from as usize] as usize] = to;
            next[from as usize] += 1;
        }
        Self { starts, all }
    }

    fn of(&self, user: u32) -> &[u32] {
        let user = user as usize;
        &self.all[self.starts[user] as usize..self.starts[user + 1] as usize]
    }
}

/// Resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or("0");
    let kilobytes: u64 = line
        .split_whitespace()
        .next()
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    kilobytes * 1024
}

/// Milliseconds or microseconds of the p50, p99 and the slowest.
fn percentiles(mut micros: Vec<f64>) -> String {
    micros.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| micros[((micros.len() - 1) as f64 * part) as usize];
    format!(
        "{{\"p50\":{:.1},\"p99\":{:.1},\"max\":{:.1}}}",
        at(0.5),
        at(0.99),
        at(1.0)
    )
}

fn publish(rosters: &Rosters, online: &Online<u32>, author: &BareJid) -> usize {
    let here = [(DOMAIN, online)];
    let mut to: Recipients = rosters
        .recipients(author, &here, &[DOMAIN])
        .unwrap_or_else(|| panic!("not loaded"));
    let mut sent = 0;
    loop {
        match to.next(&here) {
            Next::Portion(portion) => sent += portion.len(),
            Next::Recheck => assert!(rosters.recheck(author, &mut to)),
            Next::Done => return sent,
        }
    }
}

fn main() {
    let numbers: Vec<u32> = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let size = |index: usize, default: u32| numbers.get(index).copied().unwrap_or(default);
    let (users, edges_each, posts_each) = (size(0, 1_000_000), size(1, 50), size(2, 10));

    // Who reads whom: everybody a number of people of his own, popular ones most of all.
    let contacts = |reader: u32| {
        let count = 1 + popular(mixed(u64::from(reader)), edges_each * 6);
        let random = (0..count).map(|n| mixed((u64::from(reader) << 32) | u64::from(n)));
        let mut authors: Vec<u32> = random.map(|random| popular(random, users)).collect();
        authors.sort_unstable();
        authors.dedup();
        authors.retain(|author| *author != reader);
        authors
    };
    let edges = (0..users).flat_map(|reader| {
        contacts(reader)
            .into_iter()
            .map(move |author| (reader, author))
    });
    let friends = Rows::new(users, edges.clone());
    let readers = Rows::new(users, edges.map(|(reader, author)| (author, reader)));
    let most = (0..users)
        .map(|user| readers.of(user).len())
        .max()
        .unwrap_or(0);

    let before = resident();
    let begun = Instant::now();
    let rosters = Rosters::new(usize::MAX);
    for user in 0..users {
        let (author, names) = (
            jid(user),
            readers
                .of(user)
                .iter()
                .map(|reader| name(*reader))
                .collect::<Vec<_>>(),
        );
        let version = rosters.version(&author);
        assert_eq!(
            rosters.load(&author, version, names.iter().map(String::as_str)),
            Offer::Taken
        );
    }
    let (rosters_seconds, rosters_bytes) = (begun.elapsed().as_secs_f64(), resident() - before);

    let before = resident();
    let begun = Instant::now();
    let service = Service::new(usize::MAX, 0);
    for user in 0..users {
        let places = (0..posts_each).map(|n| {
            let random = mixed((u64::from(user) << 32) | u64::from(n) | (1 << 63));
            let at = Micros(1_200_000_000_000_000 + random % 31_536_000_000_000);
            Place {
                at,
                id: format!("{random:016X}").into(),
            }
        });
        let (author, hold) = (jid(user), Hold::default());
        let version = service.version(&author);
        assert_eq!(
            service.load(&author, version, places.collect(), &hold),
            Offer::Taken
        );
    }
    let (posts_seconds, posts_bytes) = (begun.elapsed().as_secs_f64(), resident() - before);

    let before = resident();
    let online = Online::default();
    for user in (0..users).filter(|user| mixed(u64::from(*user)).is_multiple_of(u64::from(ONLINE)))
    {
        assert!(online.arrive(&format!("user{user}"), user, "phone"));
    }
    let online_bytes = resident() - before;

    let (mut publishing, mut sent) = (Vec::new(), 0);
    for n in 0..OPERATIONS {
        let author = jid(popular(mixed(n as u64), users));
        let begun = Instant::now();
        let at = Micros(1_300_000_000_000_000 + n as u64);
        let place = Place {
            at,
            id: format!("{n:016X}").into(),
        };
        let offer = service.put(
            &author,
            service.version(&author),
            place,
            b"".as_slice().into(),
        );
        assert_eq!(offer, Offer::Taken);
        sent += publish(&rosters, &online, &author);
        publishing.push(begun.elapsed().as_secs_f64() * 1e6);
    }

    let request = Request {
        order: Order::NewestFirst,
        anchor: Anchor::Start,
        limit: 20,
    };
    let mut reading = Vec::new();
    for n in 0..OPERATIONS {
        let reader = (mixed(n as u64 | 1 << 40) % u64::from(users)) as u32;
        let (name, hold) = (jid(reader), Hold::default());
        let mut authors: Vec<BareJid> = friends
            .of(reader)
            .iter()
            .map(|author| jid(*author))
            .collect();
        authors.sort_unstable();
        authors.dedup();
        let begun = Instant::now();
        assert!(rosters
            .sees_all(&name, &authors)
            .iter()
            .all(|sees| *sees == Some(true)));
        let page = service.page(&authors, None, &request, &hold, 1_000_000);
        reading.push(begun.elapsed().as_secs_f64() * 1e6);
        assert!(page.is_ok_and(|(page, _)| page.posts.len() == 20.min(page.count)));
    }

    let (edges, posts) = (
        friends.all.len() as f64,
        f64::from(users) * f64::from(posts_each),
    );
    println!(
        "{{\"users\":{users},\"edges\":{edges},\"posts\":{posts},\"most_readers\":{most},\
         \"rosters\":{{\"bytes\":{rosters_bytes},\"bytes_per_edge\":{:.1},\"load_s\":{rosters_seconds:.1}}},\
         \"posts_index\":{{\"bytes\":{posts_bytes},\"bytes_per_post\":{:.1},\"load_s\":{posts_seconds:.1}}},\
         \"online_bytes\":{online_bytes},\"publish_us\":{},\"sent_per_post\":{:.0},\"read_20_us\":{}}}",
        rosters_bytes as f64 / edges,
        posts_bytes as f64 / posts,
        percentiles(publishing),
        sent as f64 / OPERATIONS as f64,
        percentiles(reading),
    );
}
