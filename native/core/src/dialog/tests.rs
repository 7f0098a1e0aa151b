use super::form::{Kind, MAX_FIELDS};
use super::*;
use crate::post::MAX_ID;
use crate::stream::Micros;

fn jid(text: &str) -> BareJid {
    BareJid::parse(text).unwrap_or_else(|_| unreachable!("{text} is a bare JID"))
}

fn form<'a>(fields: &[(&'a str, &[&'a str])]) -> Form<'a> {
    Form::Submitted(
        fields
            .iter()
            .map(|(var, values)| (*var, values.to_vec()))
            .collect(),
    )
}

fn act(stage: &Stage, fields: &[(&str, &[&str])]) -> Result<Vec<Effect>, Mistake> {
    match stage.step(Action::Execute, &form(fields), NOW)? {
        Step::Act(effects) => Ok(effects),
        other => unreachable!("{other:?}"),
    }
}

const NOW: u64 = 1_800_000_000_000_000;
const KEEP: Effect = Effect::Set {
    pushes: None,
    bodies: None,
    catch_up: None,
};
const POST: Stage = Stage::Post {
    text: true,
    settings: false,
};
const BOTH: Stage = Stage::Post {
    text: true,
    settings: true,
};

fn edit(text: bool) -> Stage {
    Stage::Edit {
        id: "1".to_owned(),
        text,
        chosen: false,
    }
}

fn mute() -> Stage {
    Stage::Mute {
        friend: jid("bob@example.org"),
        chosen: false,
    }
}

#[test]
fn what_posts() {
    let posted = |text: &str| Ok(vec![Effect::Post(text.to_owned())]);
    assert_eq!(
        act(&POST, &[("text", &[" a ", "", "b "])]),
        posted("a \n\nb")
    );
    let missing = Err(Mistake::Field("text"));
    for nothing in [
        &[][..],
        &[""],
        &[" ", "\t"],
        &["\u{200b}\u{2060}"],
        &["\u{202e}"],
    ] {
        assert_eq!(act(&POST, &[("text", nothing)]), missing, "{nothing:?}");
        assert_eq!(
            act(&BOTH, &[("text", nothing)]),
            Ok(vec![KEEP]),
            "{nothing:?}"
        );
    }
    assert_eq!(act(&POST, &[]), missing);
    assert_eq!(act(&POST, &[("text", &["a"]), ("text", &["b"])]), missing);
    assert_eq!(
        act(&POST, &[("text", &["a"]), ("odd", &[]), ("odd", &[])]),
        posted("a")
    );
    let without = Stage::Post {
        text: false,
        settings: true,
    };
    assert_eq!(
        act(&without, &[("text", &["a"])]),
        Ok(vec![KEEP]),
        "not without the right"
    );
}

#[test]
fn what_sets() {
    let set = Effect::Set {
        pushes: Some(true),
        bodies: Some(false),
        catch_up: None,
    };
    let fields: &[(&str, &[&str])] = &[("pushes", &["1"]), ("bodies", &["false"])];
    assert_eq!(act(&Stage::Settings, fields), Ok(vec![set]));
    for odd in [&["yes"][..], &["TRUE"], &[""], &["1", "1"]] {
        assert_eq!(
            act(&Stage::Settings, &[("catch_up", odd)]),
            Err(Mistake::Field("catch_up")),
            "{odd:?}"
        );
    }
    assert_eq!(
        act(&BOTH, &[("text", &["a"]), ("pushes", &["2"])]),
        Err(Mistake::Field("pushes"))
    );
    assert_eq!(
        act(&BOTH, &[("text", &["a"])]),
        Ok(vec![Effect::Post("a".to_owned()), KEEP])
    );
}

#[test]
fn what_edits() {
    let replace = Effect::Replace {
        id: "1".to_owned(),
        text: "b".to_owned(),
    };
    let delete = Ok(vec![Effect::Delete("1".to_owned())]);
    assert_eq!(
        act(&edit(true), &[("text", &["b"])]),
        Ok(vec![replace.clone()])
    );
    assert_eq!(
        act(&edit(true), &[("text", &["b"]), ("delete", &["0"])]),
        Ok(vec![replace])
    );
    assert_eq!(
        act(&edit(true), &[("text", &["b"]), ("delete", &["1"])]),
        delete
    );
    assert_eq!(act(&edit(false), &[("delete", &["true"])]), delete);
    assert_eq!(
        act(&edit(true), &[("delete", &["0"])]),
        Err(Mistake::Field("text"))
    );
    assert_eq!(
        act(&edit(false), &[("text", &["b"])]),
        Err(Mistake::Field("delete"))
    );
}

#[test]
fn what_mutes() {
    let until = |until| Ok(vec![Effect::Mute(jid("bob@example.org"), until)]);
    let at = |micros| until(Some(Micros(micros)));
    assert_eq!(
        act(&mute(), &[("until", &["hour"])]),
        at(NOW + 3_600_000_000)
    );
    assert_eq!(act(&mute(), &[("until", &["forever"])]), until(None));
    assert_eq!(
        act(&mute(), &[("until", &["unmute"])]),
        Ok(vec![Effect::Unmute(jid("bob@example.org"))])
    );
    let day = 1_830_297_600_000_000;
    for date in ["2028-01-01", " 2028-01-01 ", "2028-01-01T01:00:00+01:00"] {
        assert_eq!(act(&mute(), &[("date", &[date])]), at(day), "{date}");
        assert_eq!(
            act(&mute(), &[("until", &["unmute"]), ("date", &[date])]),
            at(day),
            "{date}"
        );
    }
    assert_eq!(
        act(&mute(), &[("date", &["2001-01-01"])]),
        Err(Mistake::Field("date")),
        "is over"
    );
    assert_eq!(
        act(&mute(), &[("date", &["soon"]), ("until", &["day"])]),
        Err(Mistake::Field("date"))
    );
    assert_eq!(
        act(&mute(), &[("date", &[" "])]),
        Err(Mistake::Field("until"))
    );
    assert_eq!(
        act(&mute(), &[("until", &["year"])]),
        Err(Mistake::Field("until"))
    );
    assert_eq!(
        act(&mute(), &[("until", &["day", "hour"])]),
        Err(Mistake::Field("until"))
    );
    for span in spans() {
        assert!(act(&mute(), &[("until", &[span])]).is_ok(), "{span}");
    }
}

#[test]
fn choices() {
    let choose =
        |stage: &Stage, var, value: &str| stage.step(Action::Next, &form(&[(var, &[value])]), NOW);
    let id = "x".repeat(MAX_ID);
    let chosen = Stage::Edit {
        id: id.clone(),
        text: true,
        chosen: true,
    };
    assert_eq!(
        choose(&Stage::ChoosePost, "post", &id),
        Ok(Step::Show(chosen.clone()))
    );
    let no_post = Err(Mistake::Field("post"));
    assert_eq!(choose(&Stage::ChoosePost, "post", ""), no_post);
    assert_eq!(
        choose(&Stage::ChoosePost, "post", &"x".repeat(MAX_ID + 1)),
        no_post
    );
    assert_eq!(choose(&Stage::ChoosePost, "friend", "a@b"), no_post);
    let friend = Stage::Mute {
        friend: jid("a@b"),
        chosen: true,
    };
    assert_eq!(
        choose(&Stage::ChooseFriend, "friend", "a@b"),
        Ok(Step::Show(friend.clone()))
    );
    assert_eq!(
        choose(&Stage::ChooseFriend, "friend", "a@b/c"),
        Err(Mistake::Field("friend"))
    );
    let back = |stage: &Stage| stage.step(Action::Prev, &Form::None, NOW);
    assert_eq!(back(&chosen), Ok(Step::Show(Stage::ChoosePost)));
    assert_eq!(back(&friend), Ok(Step::Show(Stage::ChooseFriend)));
    assert_eq!(
        back(&edit(true)),
        Err(Mistake::Action),
        "there was no choice"
    );
}

/// Which actions each stage takes; the rest is a mistake, and canceling always possible.
#[test]
fn actions() {
    let page = |prev, next| {
        Stage::Latest(Page {
            first: "f".to_owned(),
            last: "l".to_owned(),
            prev,
            next,
        })
    };
    let chosen = Stage::Edit {
        id: "1".to_owned(),
        text: true,
        chosen: true,
    };
    let table = [
        (POST, ""),
        (BOTH, ""),
        (Stage::Settings, ""),
        (edit(true), ""),
        (mute(), ""),
        (Stage::ChoosePost, "n"),
        (Stage::ChooseFriend, "n"),
        (chosen, "pc"),
        (Stage::Missed, "nc"),
        (page(true, true), "pnc"),
        (page(false, true), "nc"),
        (page(true, false), "pc"),
    ];
    for (stage, allowed) in table {
        let letters = match stage.actions() {
            None => String::new(),
            Some(actions) => [
                (actions.prev, 'p'),
                (actions.next, 'n'),
                (actions.complete, 'c'),
            ]
            .into_iter()
            .filter_map(|(is_allowed, letter)| is_allowed.then_some(letter))
            .collect(),
        };
        assert_eq!(letters, allowed, "{stage:?}");
        let filled = form(&[
            ("text", &["a"]),
            ("post", &["1"]),
            ("friend", &["a@b"]),
            ("until", &["day"]),
            ("pushes", &["1"]),
        ]);
        for (action, letter) in [
            (Action::Prev, 'p'),
            (Action::Next, 'n'),
            (Action::Complete, 'c'),
        ] {
            let is_allowed = letters.contains(letter) || letters.is_empty() && letter == 'c';
            let step = stage.step(action, &filled, NOW);
            assert_eq!(step.is_ok(), is_allowed, "{stage:?} {action:?}");
            assert_eq!(
                step == Err(Mistake::Action),
                !is_allowed,
                "{stage:?} {action:?}"
            );
        }
        let default = stage
            .actions()
            .map_or(Action::Complete, |actions| actions.default);
        assert_eq!(
            stage.step(Action::Execute, &filled, NOW),
            stage.step(default, &filled, NOW)
        );
        for (action, form) in [
            (Action::Cancel, Form::None),
            (Action::Cancel, filled),
            (Action::Execute, Form::Canceled),
        ] {
            assert_eq!(
                stage.step(action, &form, NOW),
                Ok(Step::Canceled),
                "{stage:?}"
            );
        }
    }
}

#[test]
fn forms_that_are_none() {
    let many = (0..=MAX_FIELDS).map(|_| ("odd", Vec::new())).collect();
    for form in [Form::None, Form::Unfit, Form::Submitted(many)] {
        for stage in [POST, BOTH, edit(true), mute(), Stage::Settings] {
            assert_eq!(
                stage.step(Action::Execute, &form, NOW),
                Err(Mistake::Form),
                "{stage:?}"
            );
        }
        for stage in [Stage::ChoosePost, Stage::ChooseFriend] {
            assert_eq!(
                stage.step(Action::Next, &form, NOW),
                Err(Mistake::Form),
                "{stage:?}"
            );
        }
        assert_eq!(
            Stage::Missed.step(Action::Next, &form, NOW),
            Ok(Step::Show(Stage::Missed))
        );
    }
}

/// A form as it is drawn, sent back as it is but for what must be filled in, is accepted.
#[test]
fn fields_are_those_that_are_read() {
    for stage in [
        POST,
        BOTH,
        edit(true),
        edit(false),
        mute(),
        Stage::Settings,
        Stage::ChoosePost,
        Stage::ChooseFriend,
    ] {
        let value = |field: &Field| match (field.var, field.kind) {
            (_, Kind::Text) => "text",
            (_, Kind::Boolean) => "1",
            (_, Kind::Line) => "",
            (Field::UNTIL, Kind::Choice) => "day",
            (Field::FRIEND, Kind::Choice) => "a@b",
            (_, Kind::Choice) => "1",
        };
        let fields = stage.fields();
        let all: Vec<_> = fields
            .iter()
            .map(|field| (field.var, vec![value(field)]))
            .collect();
        assert!(
            stage
                .step(Action::Execute, &Form::Submitted(all.clone()), NOW)
                .is_ok(),
            "{stage:?}"
        );
        for field in fields.iter().filter(|field| field.required) {
            let others = all
                .iter()
                .filter(|(var, _)| *var != field.var)
                .cloned()
                .collect();
            let step = stage.step(Action::Execute, &Form::Submitted(others), NOW);
            assert_eq!(step, Err(Mistake::Field(field.var)), "{stage:?}");
        }
    }
}

#[test]
fn who_may_what() {
    let ids = |stream, post, settings| -> Vec<&str> {
        offered(Rights {
            stream,
            post,
            settings,
        })
        .map(Command::id)
        .collect()
    };
    assert_eq!(ids(false, false, false), ["twitter#latest"]);
    assert_eq!(ids(true, false, false), ["twitter#edit", "twitter#latest"]);
    assert_eq!(
        ids(true, true, false),
        ["twitter#post", "twitter#edit", "twitter#latest"]
    );
    assert_eq!(ids(true, true, true), Command::ALL.map(Command::id));
    let table = |node| {
        begin(
            node,
            Rights {
                stream: false,
                post: false,
                settings: false,
            },
        )
    };
    for node in ["twitter#latest", "/twitter/FriendsStream"] {
        assert_eq!(table(node), Some(Start::Table), "{node}");
    }
    let all = Rights {
        stream: true,
        post: true,
        settings: true,
    };
    let none = [
        "/twitter/MyFriends",
        "/twitter/FriendsStream/1",
        "/twitter/MyFriends/a@b/1",
        "/twitter/",
        "twitter#",
        "",
        "twitter#POST",
        "twitter",
        "/home",
        "/twitter/x",
    ];
    for node in none {
        assert_eq!(begin(node, all), None, "{node}");
    }
    for node in [
        "/twitter",
        "/twitter/MyStream",
        "/twitter/MyStream/1",
        "/twitter/MyFriends/a@b",
    ] {
        assert_eq!(table(node), None, "{node}");
        assert!(matches!(begin(node, all), Some(Start::Stage(_))), "{node}");
    }
    let reads = Rights { post: false, ..all };
    assert_eq!(begin("/twitter/MyStream", reads), None);
    let Some(Start::Stage(Stage::Post { text, settings })) = begin("/twitter", reads) else {
        unreachable!("settings are left")
    };
    assert_eq!((text, settings), (false, true));
}
