//! What an admin takes out of the service.

use rustler::ErlOption;
use twitter_core::report::{self, Exported, Mute, ReadMark, Wishes};

use crate::term::{Arg, Jid, List, PayloadTerm};

/// `{Pushes, Bodies, CatchUp, [{Friend, Until}]}`
type WishesTerm<'a> = (bool, bool, bool, List<(&'a str, ErlOption<&'a str>)>);

fn wishes((pushes, bodies, catch_up, muted): WishesTerm<'_>) -> Wishes<'_> {
    let muted = muted.0.into_iter().map(|(friend, until)| Mute {
        friend,
        until: until.into(),
    });
    Wishes {
        pushes,
        bodies,
        catch_up,
        muted: muted.collect(),
    }
}

#[rustler::nif(schedule = "DirtyCpu")]
fn export(
    user: Jid,
    settings: Arg<ErlOption<WishesTerm<'_>>>,
    marks: List<(&str, &str)>,
    posts: List<(&str, &str, &str, PayloadTerm)>,
) -> String {
    let settings: Option<WishesTerm<'_>> = settings.0.into();
    let marks = marks.0.into_iter();
    let posts = posts.0.iter();
    report::export(
        &user.0,
        settings.map(wishes),
        marks.map(|(host, mark)| ReadMark { host, mark }),
        posts.map(|(id, published, updated, payload)| Exported {
            id,
            published,
            updated,
            payload: payload.as_core(),
        }),
    )
}
