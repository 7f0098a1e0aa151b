//! A panic while a dialog is opened: what was half open is forgotten, and whoever was at a command begins anew.

use twitter_core::dialog::{Action, Dialogs, Form, Owner, Refusal, Stage};
use twitter_core::failpoints::panics_at;
use twitter_core::jid::BareJid;

#[test]
fn nothing_stays_half_open() -> Result<(), twitter_core::jid::InvalidJid> {
    let alice = BareJid::parse("alice@example.org")?;
    let owner = Owner {
        reader: &alice,
        resource: "phone",
    };
    let dialogs = Dialogs::default();
    let open = |id| dialogs.open(id, owner, "node", Stage::Settings, 0);
    let cancel = |id| dialogs.step(id, owner, "node", (Action::Cancel, &Form::None), 0);
    open("before");
    assert_eq!(panics_at(1, || open("during")), None);
    assert!(dialogs.is_empty());
    assert_eq!(cancel("before"), Err(Refusal::Unknown));
    assert_eq!(cancel("during"), Err(Refusal::Unknown));
    open("afterwards");
    assert!(cancel("afterwards").is_ok());
    assert_eq!(panics_at(2, || open("no second point")), Some(()));
    Ok(())
}
