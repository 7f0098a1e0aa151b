use proptest::prelude::*;

use super::super::Page;
use super::*;

const POST: Stage = Stage::Post {
    text: true,
    settings: false,
};

fn jid(text: &str) -> BareJid {
    BareJid::parse(text).unwrap_or_else(|_| unreachable!("{text} is a bare JID"))
}

const DIALOGS: [&str; 2] = ["alice@example.org", "bob@example.org"];

fn owner<'a>(reader: &'a BareJid, resource: &'a str) -> Owner<'a> {
    Owner { reader, resource }
}

#[test]
fn only_its_owner_finds_a_dialog() {
    let [alice, bob] = DIALOGS.map(jid);
    let dialogs = Dialogs::default();
    let hers = owner(&alice, "phone");
    dialogs.open("id", hers, "/twitter/MyStream", POST, 0);
    let cancel = (Action::Cancel, &Form::None);
    for (id, who, node) in [
        ("id", owner(&bob, "phone"), "/twitter/MyStream"),
        ("id", owner(&alice, "desk"), "/twitter/MyStream"),
        ("id", hers, "/twitter"),
        ("di", hers, "/twitter/MyStream"),
    ] {
        assert_eq!(
            dialogs.step(id, who, node, cancel, 0),
            Err(Refusal::Unknown)
        );
    }
    assert!(!dialogs.show("id", owner(&bob, "phone"), Stage::Settings, 0));
    assert!(dialogs
        .step("id", hers, "/twitter/MyStream", cancel, 0)
        .is_ok());
    assert_eq!(
        dialogs.step("id", hers, "/twitter/MyStream", cancel, 0),
        Err(Refusal::Over)
    );
    assert_eq!(
        dialogs.step("id", owner(&bob, "phone"), "/twitter/MyStream", cancel, 0),
        Err(Refusal::Unknown)
    );
}

#[test]
fn a_dialog_is_answered_once_and_in_time() {
    let alice = jid(DIALOGS[0]);
    let (dialogs, hers) = (Dialogs::default(), owner(&alice, "phone"));
    dialogs.open("id", hers, "n", POST, 0);
    let filled = Form::Submitted(vec![("text", vec!["a"])]);
    let step = |now| dialogs.step("id", hers, "n", (Action::Execute, &filled), now);
    assert_eq!(step(LIFETIME + 1), Err(Refusal::Over));
    assert_eq!(step(LIFETIME).map(|taken| taken.from), Ok(POST));
    assert_eq!(step(LIFETIME), Err(Refusal::Over));
    // What was refused may be sent again.
    assert!(dialogs.show("id", hers, POST, LIFETIME));
    assert!(step(2 * LIFETIME).is_ok());
    assert_eq!(step(2 * LIFETIME), Err(Refusal::Over));
}

#[test]
fn there_are_so_many() {
    let dialogs = Dialogs::default();
    let readers: Vec<BareJid> = (0..MAX_DIALOGS)
        .map(|n| jid(&format!("user{n}@example.org")))
        .collect();
    let open = |id: &str, reader| dialogs.open(id, owner(reader, ""), "n", POST, 0);
    let cancel = |id: &str, reader| {
        dialogs.step(id, owner(reader, ""), "n", (Action::Cancel, &Form::None), 0)
    };
    let Some((first, others)) = readers.split_first() else {
        unreachable!()
    };
    for n in 0..MAX_DIALOGS {
        open(&n.to_string(), first);
    }
    assert_eq!(dialogs.len(), MAX_OF_ONE, "one reader takes nobody's place");
    assert_eq!(cancel("0", first), Err(Refusal::Unknown));
    for (n, reader) in others.iter().enumerate() {
        open(&n.to_string(), reader);
    }
    assert_eq!(dialogs.len(), MAX_DIALOGS);
    // The oldest went.
    assert_eq!(
        cancel(&(MAX_DIALOGS - 2).to_string(), first),
        Err(Refusal::Unknown)
    );
    assert!(cancel("0", &others[0]).is_ok());
}

fn any_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => Just(Action::Execute),
        1 => Just(Action::Cancel),
        1 => Just(Action::Prev),
        1 => Just(Action::Next),
        1 => Just(Action::Complete),
    ]
}

fn any_stage() -> impl Strategy<Value = Stage> {
    prop_oneof![
        any::<(bool, bool)>().prop_map(|(text, settings)| Stage::Post { text, settings }),
        Just(Stage::ChoosePost),
        any::<(bool, bool)>().prop_map(|(text, chosen)| Stage::Edit {
            id: "1".to_owned(),
            text,
            chosen
        }),
        Just(Stage::ChooseFriend),
        any::<bool>().prop_map(|chosen| Stage::Mute {
            friend: jid("a@b"),
            chosen
        }),
        Just(Stage::Settings),
        any::<(bool, bool)>().prop_map(|(prev, next)| {
            Stage::Latest(Page {
                first: "f".to_owned(),
                last: "l".to_owned(),
                prev,
                next,
            })
        }),
        Just(Stage::Missed),
    ]
}

fn any_fields() -> impl Strategy<Value = Vec<(String, Vec<String>)>> {
    let var = prop_oneof![
        8 => prop::sample::select(&["text", "delete", "post", "friend", "until", "date", "pushes", "bodies", "catch_up"][..])
            .prop_map(str::to_owned),
        1 => "\\PC*",
    ];
    let value = prop_oneof![
        Just("1".to_owned()),
        Just("day".to_owned()),
        Just("a@b".to_owned()),
        Just("2999-01-01".to_owned()),
        "\\PC{0,8}",
    ];
    prop::collection::vec((var, prop::collection::vec(value, 0..3)), 0..6)
}

type Answer = (
    usize,
    usize,
    Action,
    Option<Vec<(String, Vec<String>)>>,
    u64,
);

fn any_answers() -> impl Strategy<Value = Vec<Answer>> {
    let answer = (
        0usize..40,
        0usize..4,
        any_action(),
        prop::option::of(any_fields()),
        0u64..LIFETIME / 4,
    );
    prop::collection::vec(answer, 1..120)
}

proptest! {
    /// Beside a naive table: an answer counts if the session has opened that dialog, among its reader's last
    /// ones, and it has not ended; then it does what its stage says, once.
    #[test]
    fn like_a_naive_table(stages in prop::collection::vec(any_stage(), 1..8), answers in any_answers()) {
        let readers = DIALOGS.map(jid);
        let sessions = [(0, "x"), (0, "y"), (1, "x"), (1, "")];
        let dialogs = Dialogs::default();
        // Id: session, stage, whether it is over, until when.
        let mut open: HashMap<usize, (usize, Stage, bool, u64)> = HashMap::new();
        let mut of_reader: [Vec<usize>; 2] = Default::default();
        let (mut now, mut opened) = (0, 0);
        for (number, session, action, fields, pause) in answers {
            now += pause;
            let (reader, resource) = sessions[session];
            let owner = owner(&readers[reader], resource);
            if number < 10 {
                let stage = stages[number % stages.len()].clone();
                dialogs.open(&opened.to_string(), owner, "n", stage.clone(), now);
                open.insert(opened, (session, stage, false, now + LIFETIME));
                of_reader[reader].push(opened);
                if of_reader[reader].len() > MAX_OF_ONE {
                    open.remove(&of_reader[reader].remove(0));
                }
                opened += 1;
                continue;
            }
            let id = number - 10;
            let form = match &fields {
                None => Form::None,
                Some(fields) => Form::Submitted(
                    fields.iter().map(|(var, values)| (var.as_str(), values.iter().map(String::as_str).collect())).collect(),
                ),
            };
            let answer = dialogs.step(&id.to_string(), owner, "n", (action, &form), now);
            let expected = match open.get_mut(&id) {
                Some((whose, ..)) if *whose != session => Err(Refusal::Unknown),
                None => Err(Refusal::Unknown),
                Some((_, _, true, _)) => Err(Refusal::Over),
                Some((_, _, _, until)) if *until < now => Err(Refusal::Over),
                Some((_, stage, is_over, until)) => match stage.step(action, &form, now) {
                    Err(mistake) => Err(Refusal::Mistake(mistake)),
                    Ok(step) => {
                        let from = stage.clone();
                        *until = now + LIFETIME;
                        *is_over = matches!(step, Step::Act(_) | Step::Canceled);
                        if let Step::Show(next) = &step {
                            prop_assert!(dialogs.show(&id.to_string(), owner, next.clone(), now));
                            *stage = next.clone();
                        }
                        Ok(Taken { from, step })
                    }
                },
            };
            prop_assert_eq!(answer, expected);
            prop_assert_eq!(dialogs.len(), open.len());
        }
    }
}
