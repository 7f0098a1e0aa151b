//! Publishing posts, and watching them arrive.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::command::{Publish, Role};
use crate::crowd::{Crowd, Listener};
use crate::failure::Failure;
use crate::member::Member;
use crate::silence::quiet;
use crate::spot::Word;
use crate::tally::Faults;
use crate::usage::cpu_us;

const MARKER: &str = "bench-post-";
const DIGITS: usize = 6;
static POST: LazyLock<Word> = LazyLock::new(|| Word::new(MARKER, DIGITS));

/// Publishes the series and says what became of it. A post that does not arrive everywhere in time
/// ends it.
pub fn run(crowd: &mut Crowd, publish: &Publish) -> Result<Value, Failure> {
    let first = crowd.number(publish.posts);
    for follower in crowd.followers() {
        follower.tally.begin(first, publish.posts);
    }
    crowd.member(&publish.user)?.inbox.clear();
    let timeout = Duration::from_millis(publish.timeout_ms);
    let mut series = Series::new(first);
    let began = Instant::now();
    let cpu = cpu_us()?;
    if publish.burst {
        let author = crowd.member(&publish.user)?;
        for _ in 0..publish.posts {
            series.send(author, publish)?;
        }
        series.wait(crowd, publish.expect, timeout)?;
    } else {
        for _ in 0..publish.posts {
            series.send(crowd.member(&publish.user)?, publish)?;
            if !series.wait(crowd, publish.expect, timeout)? {
                break;
            }
        }
    }
    let wall_us = micros(began.elapsed());
    let cpu_us = cpu_us()?.saturating_sub(cpu);
    quiet(crowd, &mut series, publish.linger_ms)?;

    let end = first.saturating_add(series.sent());
    let mut faults = Faults::default();
    for follower in crowd.followers() {
        faults.add(follower.tally.faults(end));
    }
    let posts = &series.posts;
    Ok(json!({
        "posts": posts.len(),
        "deliveries": posts.iter().map(|post| post.arrived).fold(0_usize, usize::saturating_add),
        "missing": faults.missing,
        "twice": faults.twice,
        "disordered": faults.disordered,
        "wall_us": wall_us,
        "cpu_us": cpu_us,
        "bytes": series.bytes,
        "result_us": posts.iter().map(Post::result_us).collect::<Vec<_>>(),
        "last_us": posts.iter().map(Post::last_us).collect::<Vec<_>>(),
    }))
}

/// One post on its way.
struct Post {
    sent: Instant,
    result: Option<Instant>,
    last: Option<Instant>,
    arrived: usize,
}

impl Post {
    fn result_us(&self) -> Option<u64> {
        Some(micros(self.result?.duration_since(self.sent)))
    }

    fn last_us(&self) -> Option<u64> {
        Some(micros(self.last?.duration_since(self.sent)))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

struct Series {
    first: u32,
    posts: Vec<Post>,
    answered: usize,
    arrived: usize,
    bytes: usize,
}

impl Series {
    fn new(first: u32) -> Self {
        Self {
            first,
            posts: Vec::new(),
            answered: 0,
            arrived: 0,
            bytes: 0,
        }
    }

    fn sent(&self) -> u32 {
        u32::try_from(self.posts.len()).unwrap_or(u32::MAX)
    }

    fn send(&mut self, author: &mut Member, publish: &Publish) -> Result<(), Failure> {
        let number = self.first.saturating_add(self.sent());
        let marker = format!("{MARKER}{number:0DIGITS$}");
        let iq = publish.iq.replace("{id}", &number.to_string());
        self.posts.push(Post {
            sent: Instant::now(),
            result: None,
            last: None,
            arrived: 0,
        });
        author.send(&iq.replace("{post}", &marker))
    }

    /// Waits until all posts are answered and have arrived. False if they do not in time.
    fn wait(
        &mut self,
        crowd: &mut Crowd,
        expect: usize,
        timeout: Duration,
    ) -> Result<bool, Failure> {
        let until = Instant::now().checked_add(timeout);
        let wanted = expect.saturating_mul(self.posts.len());
        while self.answered < self.posts.len() || self.arrived < wanted {
            let left = until.map_or(timeout, |until| {
                until.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return Ok(false);
            }
            crowd.pump(self, left)?;
        }
        Ok(true)
    }

    fn post(&mut self, number: u32) -> Option<&mut Post> {
        let index = number.checked_sub(self.first)?;
        self.posts.get_mut(usize::try_from(index).ok()?)
    }

    fn answers(&mut self, author: &mut Member) -> Result<(), Failure> {
        while let Some(iq) = author.inbox.take_iq() {
            if iq.kind == "error" {
                return Err(Failure::new(format!("refused: {}", iq.text)));
            }
            let post = iq.id.parse().ok().and_then(|number| self.post(number));
            if let Some(post) = post.filter(|post| post.result.is_none()) {
                post.result = Some(Instant::now());
                self.answered = self.answered.saturating_add(1);
            }
        }
        Ok(())
    }

    fn deliveries(&mut self, follower: &mut Member, bytes: &[u8]) {
        let now = Instant::now();
        let Member { spot, tally, .. } = follower;
        spot.feed(&POST, bytes, |whole| {
            let digits = whole.get(MARKER.len()..).unwrap_or(&[]);
            let number = std::str::from_utf8(digits)
                .ok()
                .and_then(|text| text.parse().ok());
            let wanted = number.filter(|number| tally.delivered(*number));
            if let Some(post) = wanted.and_then(|number| self.post(number)) {
                post.arrived = post.arrived.saturating_add(1);
                post.last = Some(now);
                self.arrived = self.arrived.saturating_add(1);
            }
        });
    }
}

impl Listener for Series {
    fn received(&mut self, member: &mut Member, bytes: &[u8]) -> Result<(), Failure> {
        if member.role == Role::Speaker {
            member.inbox.push(bytes);
            return self.answers(member);
        }
        self.bytes = self.bytes.saturating_add(bytes.len());
        self.deliveries(member, bytes);
        member.acknowledge(bytes)
    }
}
