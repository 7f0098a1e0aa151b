//! What a reader wants to get: pushes, bodies, what he missed, and from whom nothing for a while.
//!
//! Settings are kept as one element of XML, which the reader's own clients may rewrite as they like: what
//! makes no sense in it is passed over.

use std::collections::BTreeMap;

use minidom::rxml::{Namespace, NcName};
use minidom::Element;

use crate::jid::BareJid;
use crate::stream::Micros;

/// The namespace under which settings are kept (XEP-0049).
pub const NAMESPACE: &str = "urn:ejabberd:twitter:settings";
/// So many friends may be muted at a time.
pub const MAX_MUTES: usize = 1000;

/// When a mute ends; never, if there is no moment.
pub type Until = Option<Micros>;

/// What one reader wants. By default everything, from everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Posts are sent to him at once.
    pub pushes: bool,
    /// With their text as the body of a message, if the service sends such.
    pub bodies: bool,
    /// When he comes online, he is sent what he missed.
    pub catch_up: bool,
    muted: BTreeMap<BareJid, Until>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pushes: true,
            bodies: true,
            catch_up: true,
            muted: BTreeMap::new(),
        }
    }
}

/// [`MAX_MUTES`] friends are muted already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyMutes;

/// What a friend's client would be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// A post, or a later version of it.
    Post,
    /// Posts are gone: also from the clients of those who do not want new ones.
    Retraction,
}

/// How a reader gets news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// As they are.
    Whole,
    /// Without the body of the message.
    WithoutBody,
    /// Not at all.
    Nothing,
}

impl Settings {
    /// Reads what [`Settings::to_xml`] wrote, or what somebody else made of it: the default stands for
    /// everything that cannot be read, and of more than [`MAX_MUTES`] mutes some are left out. The depth
    /// of the XML is the caller's business. Cost: O(bytes).
    #[must_use]
    pub fn from_xml(xml: &str) -> Self {
        let Ok(root) = xml.parse::<Element>() else {
            return Self::default();
        };
        let is_on = |name| !matches!(root.attr(name), Some("false" | "0"));
        let mutes = root
            .children()
            .filter(|child| child.is("mute", NAMESPACE))
            .filter_map(|mute| {
                let friend = BareJid::parse(mute.attr("jid")?).ok()?;
                let until = match mute.attr("until") {
                    Some(at) => Some(Micros(at.parse().ok()?)),
                    None => None,
                };
                Some((friend, until))
            });
        Self {
            pushes: is_on("pushes"),
            bodies: is_on("bodies"),
            catch_up: is_on("catch-up"),
            muted: mutes.take(MAX_MUTES).collect(),
        }
    }

    /// The element that is kept. Cost: O(mutes).
    ///
    /// ```
    /// use twitter_core::settings::Settings;
    /// let mut settings = Settings::default();
    /// settings.bodies = false;
    /// assert_eq!(Settings::from_xml(&settings.to_xml()), settings);
    /// assert_eq!(Settings::from_xml("<hello/>"), Settings::default());
    /// ```
    #[must_use]
    pub fn to_xml(&self) -> String {
        let mut root = element("settings");
        set(&mut root, "pushes", &self.pushes.to_string());
        set(&mut root, "bodies", &self.bodies.to_string());
        set(&mut root, "catch-up", &self.catch_up.to_string());
        for (friend, until) in &self.muted {
            let mut mute = element("mute");
            set(&mut mute, "jid", friend.as_str());
            if let Some(end) = until {
                set(&mut mute, "until", &end.0.to_string());
            }
            root.append_child(mute);
        }
        String::from(&root)
    }

    /// Mutes a friend until then, whatever was said of him before. Mutes that have ended at `now` make room.
    ///
    /// # Errors
    /// Too many are muted; nothing changes.
    pub fn mute(&mut self, friend: BareJid, until: Until, now: Micros) -> Result<(), TooManyMutes> {
        self.muted.retain(|_, until| lasts(*until, now));
        if self.muted.len() >= MAX_MUTES && !self.muted.contains_key(&friend) {
            return Err(TooManyMutes);
        }
        self.muted.insert(friend, until);
        Ok(())
    }

    /// Nothing is said of this friend any more.
    pub fn unmute(&mut self, friend: &BareJid) {
        self.muted.remove(friend);
    }

    /// Who is muted at this moment, by address, and until when.
    pub fn muted(&self, now: Micros) -> impl Iterator<Item = (&BareJid, Until)> {
        self.muted
            .iter()
            .map(|(friend, until)| (friend, *until))
            .filter(move |(_, until)| lasts(*until, now))
    }

    /// Whether posts of this author stand in the reader's FriendsStream at this moment.
    /// Cost: O(log mutes).
    #[must_use]
    pub fn hears(&self, author: &BareJid, now: Micros) -> bool {
        self.muted
            .get(author)
            .is_none_or(|until| !lasts(*until, now))
    }

    /// How the reader gets news of this author at this moment.
    ///
    /// ```
    /// use twitter_core::{jid::BareJid, settings::{News, Settings, Share}, stream::Micros};
    /// let alice = BareJid::parse("alice@example.org")?;
    /// let mut settings = Settings::default();
    /// assert_eq!(settings.mute(alice.clone(), Some(Micros(9)), Micros(1)), Ok(()));
    /// assert_eq!(settings.share(&alice, News::Post, Micros(8)), Share::Nothing);
    /// assert_eq!(settings.share(&alice, News::Post, Micros(9)), Share::Whole);
    /// # Ok::<(), twitter_core::jid::InvalidJid>(())
    /// ```
    #[must_use]
    pub fn share(&self, author: &BareJid, news: News, now: Micros) -> Share {
        match news {
            News::Retraction => Share::Whole,
            News::Post if !self.pushes || !self.hears(author, now) => Share::Nothing,
            News::Post if self.bodies => Share::Whole,
            News::Post => Share::WithoutBody,
        }
    }
}

fn element(name: &str) -> Element {
    Element::bare(name, NAMESPACE)
}

fn set(element: &mut Element, name: &str, value: &str) {
    // The names above are names.
    if let Ok(name) = NcName::try_from(name) {
        element.set_attr(Namespace::NONE, name, value);
    }
}

fn lasts(until: Until, now: Micros) -> bool {
    until.is_none_or(|end| now < end)
}

#[cfg(test)]
// The numbers are small, and a panic is a failed test.
#[allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn friend(number: usize) -> BareJid {
        BareJid::parse(&format!("friend{number}@example.org")).unwrap()
    }

    fn some() -> impl Strategy<Value = Settings> {
        let mutes = prop::collection::btree_map(
            (0_usize..50).prop_map(friend),
            prop::option::of((0_u64..100).prop_map(Micros)),
            0..20,
        );
        (any::<bool>(), any::<bool>(), any::<bool>(), mutes).prop_map(
            |(pushes, bodies, catch_up, muted)| Settings {
                pushes,
                bodies,
                catch_up,
                muted,
            },
        )
    }

    proptest! {
        #[test]
        fn are_kept(settings in some()) {
            prop_assert_eq!(Settings::from_xml(&settings.to_xml()), settings);
        }

        #[test]
        fn a_mute_ends_when_it_said(mut settings in some(), until in prop::option::of((1_u64..100).prop_map(Micros))) {
            prop_assert_eq!(settings.mute(friend(7), until, Micros(0)), Ok(()));
            let end = until.unwrap_or(Micros(u64::MAX));
            prop_assert!(!settings.hears(&friend(7), Micros(0)));
            prop_assert!(!settings.hears(&friend(7), Micros(end.0 - 1)));
            prop_assert_eq!(settings.hears(&friend(7), end), until.is_some());
            prop_assert_eq!(settings.muted(Micros(0)).any(|(who, _)| *who == friend(7)), true);
            settings.unmute(&friend(7));
            prop_assert!(settings.hears(&friend(7), Micros(0)));
        }

        #[test]
        fn whatever_stands_there_can_be_read(xml in ".{0,200}") {
            let _ = Settings::from_xml(&xml);
        }

        #[test]
        fn whoever_hears_nothing_is_still_told_what_is_gone(settings in some(), who in 0_usize..50, now in 0_u64..100) {
            prop_assert_eq!(settings.share(&friend(who), News::Retraction, Micros(now)), Share::Whole);
        }
    }

    #[test]
    fn what_makes_no_sense_is_passed_over() {
        let xml = format!(
            "<settings xmlns='{NAMESPACE}' pushes='0' bodies='perhaps'><mute jid='a@@b'/><mute/>\
             <mute jid='c@d' until='tomorrow'/><mute xmlns='other' jid='e@f'/><mute jid='g@h'/></settings>"
        );
        let settings = Settings::from_xml(&xml);
        assert!(!settings.pushes && settings.bodies && settings.catch_up);
        let muted: Vec<_> = settings.muted(Micros(0)).collect();
        assert_eq!(muted, [(&BareJid::parse("g@h").unwrap(), None)]);
    }

    #[test]
    fn mutes_are_limited_and_make_room_when_they_end() {
        let mut settings = Settings::default();
        for number in 0..MAX_MUTES {
            assert_eq!(
                settings.mute(friend(number), Some(Micros(5)), Micros(0)),
                Ok(())
            );
        }
        let before = settings.clone();
        let late = friend(MAX_MUTES);
        assert_eq!(
            settings.mute(late.clone(), None, Micros(0)),
            Err(TooManyMutes)
        );
        assert_eq!(settings, before);
        assert_eq!(settings.mute(friend(3), None, Micros(0)), Ok(()));
        assert_eq!(settings.mute(late, None, Micros(5)), Ok(()));
        assert_eq!(settings.muted(Micros(5)).count(), 2);
    }
}
