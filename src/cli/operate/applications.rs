//! `tollgate app`: registered callers. What an application says of itself is replaced whole by the gateway, so a change
//! of a part is made here: read, edited, and sent back for the version that was read.

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use serde_json::{Map, Value, json};

use super::operator::Operator;
use super::text::{Cell, Column, View};
use super::{Act, Again, Failure, Id, Outcome, Step, Sure};
use crate::control::client::Ask;
use crate::exit;

/// Where they are.
const APPLICATIONS: &str = "/v1/applications";

const APPLICATION: View = View {
    look: "tollgate app list",
    noun: "application",
    cursor: Some("after"),
    id: "id",
    columns: &[
        Column("ID", Cell::Whole("id")),
        Column("NAME", Cell::Short("name")),
        Column("OWNER", Cell::Short("owner")),
        Column("CLIENT IDS", Cell::Short("client_ids")),
        Column("SUSPENDED", Cell::Whole("suspended")),
        Column("ORIGIN", Cell::Whole("origin")),
        Column("VERSION", Cell::Whole("version")),
    ],
    members: &[
        "id",
        "name",
        "owner",
        "client_ids",
        "claim_sets",
        "audience",
        "suspended",
        "origin",
        "version",
    ],
};

/// What the gateway says of an application, and nobody else; the rest can be written.
const READ_ONLY: [&str; 6] = ["id", "origin", "version", "suspended", "created_at", "updated_at"];

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Action {
    /// All applications.
    #[command(after_help = "Example:\n  tollgate app list --json | jq -r '.items[].id'")]
    List,
    /// One application.
    #[command(after_help = "Example:\n  tollgate app show mobile")]
    Show {
        /// Its id.
        id: Id,
    },
    /// Make an application.
    #[command(
        after_help = "Example:\n  tollgate app create mobile --name 'Mobile app' --client-id mobile-app\n  \
                            tollgate app create batch --claim-set tenant=acme,role=batch"
    )]
    Create(Create),
    /// Change a part of what an application says of itself; what is not named stays.
    #[command(
        after_help = "Example:\n  tollgate app update mobile --owner 'Team Blue' --add-client-id mobile-beta"
    )]
    Update(Update),
    /// Put all subscriptions of an application out of force.
    #[command(after_help = "Example:\n  tollgate app suspend mobile")]
    Suspend(Step),
    /// End the suspension of an application.
    #[command(after_help = "Example:\n  tollgate app resume mobile")]
    Resume(Step),
    /// Remove an application with its subscriptions and keys.
    #[command(after_help = "Example:\n  tollgate app delete mobile --yes")]
    Delete {
        #[command(flatten)]
        step: Step,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// Its id: letters, digits, `.`, `_`, `-`.
    id: String,
    #[command(flatten)]
    words: Words,
    /// A client id that stands for it, in tokens of any issuer; may be given several times.
    #[arg(long, value_name = "ID")]
    client_id: Vec<String>,
    /// A client id that stands for it in tokens of one issuer; may be given several times.
    #[arg(long, num_args = 2, value_names = ["ISSUER", "ID"])]
    client_id_of: Vec<String>,
    /// Claims that stand for it, if a token has all of them: NAME=VALUE,NAME=VALUE or a JSON object; may be given several
    /// times.
    #[arg(long, value_name = "CLAIMS", value_parser = claim_set)]
    claim_set: Vec<Value>,
    #[command(flatten)]
    again: Again,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Update {
    #[command(flatten)]
    step: Step,
    #[command(flatten)]
    words: Words,
    /// Without this from now on; may be given several times.
    #[arg(long, value_name = "MEMBER")]
    clear: Vec<Member>,
    /// A further client id, in tokens of any issuer.
    #[arg(long, value_name = "ID")]
    add_client_id: Vec<String>,
    /// A further client id, in tokens of one issuer.
    #[arg(long, num_args = 2, value_names = ["ISSUER", "ID"])]
    add_client_id_of: Vec<String>,
    /// No longer this client id in tokens of any issuer.
    #[arg(long, value_name = "ID")]
    remove_client_id: Vec<String>,
    /// No longer this client id in tokens of this issuer.
    #[arg(long, num_args = 2, value_names = ["ISSUER", "ID"])]
    remove_client_id_of: Vec<String>,
    /// A further claim set: NAME=VALUE,NAME=VALUE or a JSON object.
    #[arg(long, value_name = "CLAIMS", value_parser = claim_set)]
    add_claim_set: Vec<Value>,
    /// No longer this claim set.
    #[arg(long, value_name = "CLAIMS", value_parser = claim_set)]
    remove_claim_set: Vec<Value>,
}

/// What people call it.
#[derive(Debug, Args)]
pub(in crate::cli) struct Words {
    /// Its name, for people.
    #[arg(long)]
    name: Option<String>,
    /// Whose it is, for people.
    #[arg(long)]
    owner: Option<String>,
    /// An audience of its own, instead of its id.
    #[arg(long)]
    audience: Option<String>,
}

/// What can be taken away.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum Member {
    Name,
    Owner,
    Audience,
    ClientIds,
    ClaimSets,
}

// === impl Action ===

impl Act for Action {
    fn act(self, operator: Operator) -> Outcome {
        match self {
            Self::List => operator.list(&APPLICATION, APPLICATIONS, &[]),
            Self::Show { id } => operator.show(&APPLICATION, &Ask::new(Method::GET, id.path(APPLICATIONS))),
            Self::Create(create) => create.run(&operator),
            Self::Update(update) => update.run(&operator),
            Self::Suspend(step) => {
                operator.show(&APPLICATION, &step.ask(Method::POST, APPLICATIONS, "/suspend"))
            }
            Self::Resume(step) => {
                operator.show(&APPLICATION, &step.ask(Method::POST, APPLICATIONS, "/resume"))
            }
            Self::Delete { step, sure } => {
                let operator = operator.sure(sure.yes);
                let id = &step.id.shown;
                operator.confirm(&format!(
                    "Delete the application `{id}` with all its subscriptions and keys?"
                ))?;
                operator.ask(&APPLICATION, &step.ask(Method::DELETE, APPLICATIONS, ""))?;
                operator.say(&format!("the application `{id}` is deleted"))
            }
        }
    }
}

// === impl Create ===

impl Create {
    fn run(self, operator: &Operator) -> Outcome {
        let mut members = Map::new();
        members.insert("id".to_owned(), json!(self.id));
        self.words.put(&mut members);
        let ids = client_ids(&self.client_id, &self.client_id_of);
        add(&mut members, "client_ids", ids);
        add(&mut members, "claim_sets", self.claim_set);
        let ask = Ask {
            body: Some(Value::Object(members).to_string()),
            ..Ask::new(Method::POST, APPLICATIONS)
        };
        let made = operator.make(&APPLICATION, ask, self.again.idempotency_key.as_deref())?;
        operator.tell(&APPLICATION, &made.body)
    }
}

// === impl Update ===

impl Update {
    fn run(self, operator: &Operator) -> Outcome {
        let Self {
            step,
            words,
            clear,
            add_client_id,
            add_client_id_of,
            remove_client_id,
            remove_client_id_of,
            add_claim_set,
            remove_claim_set,
        } = self;
        operator.edit(
            &APPLICATION,
            &step.id.path(APPLICATIONS),
            &step.version,
            |members| {
                members.retain(|name, _| !READ_ONLY.contains(&name.as_str()));
                for member in clear {
                    members.remove(member.name());
                }
                words.put(members);
                let gone = client_ids(&remove_client_id, &remove_client_id_of);
                remove(members, "client_ids", &gone)?;
                remove(members, "claim_sets", &remove_claim_set)?;
                add(
                    members,
                    "client_ids",
                    client_ids(&add_client_id, &add_client_id_of),
                );
                add(members, "claim_sets", add_claim_set);
                Ok(())
            },
        )
    }
}

// === impl Words ===

impl Words {
    fn put(self, members: &mut Map<String, Value>) {
        let Self {
            name,
            owner,
            audience,
        } = self;
        for (member, value) in [("name", name), ("owner", owner), ("audience", audience)] {
            if let Some(value) = value {
                members.insert(member.to_owned(), Value::String(value));
            }
        }
    }
}

// === impl Member ===

impl Member {
    const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Owner => "owner",
            Self::Audience => "audience",
            Self::ClientIds => "client_ids",
            Self::ClaimSets => "claim_sets",
        }
    }
}

/// Those of any issuer, and those of one: issuer and id by turns.
fn client_ids(any: &[String], of: &[String]) -> Vec<Value> {
    let any = any.iter().map(|id| json!({ "id": id }));
    let of = of.chunks_exact(2).filter_map(|pair| match pair {
        [issuer, id] => Some(json!({ "id": id, "issuer": issuer })),
        _ => None,
    });
    any.chain(of).collect()
}

/// Adds items that are not there yet.
fn add(members: &mut Map<String, Value>, name: &str, items: Vec<Value>) {
    if items.is_empty() {
        return;
    }
    let list = members.entry(name.to_owned()).or_insert_with(|| json!([]));
    if let Value::Array(list) = list {
        for item in items {
            if !list.contains(&item) {
                list.push(item);
            }
        }
    }
}

/// Takes items away, each of which must be there: a slip of the pen would leave a caller in.
fn remove(members: &mut Map<String, Value>, name: &str, items: &[Value]) -> Outcome {
    for item in items {
        let list = members.get_mut(name).and_then(Value::as_array_mut);
        let found = list.and_then(|list| {
            let place = list.iter().position(|own| own == item)?;
            Some(list.remove(place))
        });
        if found.is_none() {
            let text = format!("nothing was done: `{name}` has no {item}");
            return Err(Failure::new(exit::REFUSED, super::text::printable(&text)));
        }
    }
    Ok(())
}

/// `tenant=acme,region=eu`, or a JSON object where a name or a value has a comma or a `=`.
fn claim_set(text: &str) -> Result<Value, String> {
    if text.starts_with('{') {
        let read: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let is_text = |value: &Value| value.is_string();
        return match &read {
            Value::Object(claims) if claims.values().all(is_text) => Ok(read),
            _ => Err("claims are texts: {\"tenant\": \"acme\"}".to_owned()),
        };
    }
    let mut claims = Map::new();
    for pair in text.split(',') {
        let (name, value) = pair.split_once('=').ok_or("a claim is NAME=VALUE")?;
        if claims.insert(name.to_owned(), json!(value)).is_some() {
            return Err(format!("`{name}` is there twice"));
        }
    }
    Ok(Value::Object(claims))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claim_sets_are_pairs_or_an_object() {
        for (text, expected) in [
            ("tenant=acme", Some(json!({ "tenant": "acme" }))),
            (
                "tenant=acme,region=eu",
                Some(json!({ "tenant": "acme", "region": "eu" })),
            ),
            ("tenant=a=b", Some(json!({ "tenant": "a=b" }))),
            (r#"{"tenant": "a,b"}"#, Some(json!({ "tenant": "a,b" }))),
            ("tenant", None),
            ("", None),
            ("a=1,a=2", None),
            (r#"{"level": 3}"#, None),
            (r#"{"tenant": "#, None),
        ] {
            assert_eq!(claim_set(text).ok(), expected, "{text}");
        }
    }
}
