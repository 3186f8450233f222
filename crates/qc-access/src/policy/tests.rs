use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::{Access, Circumstances, Denial, Power, Principal, Resource};

fn principal(environment: Option<&str>, role: Role, scopes: Option<&[&str]>) -> Principal {
    Principal {
        id: "k1".into(),
        kind: TokenKind::ApiKey,
        name: "test".into(),
        person: None,
        owner: None,
        environment: environment.map(|e| e.parse().unwrap()),
        role,
        scopes: scopes.map(|s| s.iter().map(|s| s.parse().unwrap()).collect()),
    }
}

fn access(local: bool) -> Access {
    Access::new(local, vec!["production".parse().unwrap()])
}

fn on<'a>(environment: &'a str, name: &'a str) -> Resource<'a> {
    Resource { environment: Some(environment), name: Some(name), units: &[] }
}

fn given(granted: bool) -> Circumstances<'static> {
    Circumstances { granted, ..Circumstances::default() }
}

fn denial(access: &Access, who: &Principal, action: Action, what: Resource<'_>) -> Option<Denial> {
    access.decide(who, action, what, given(false)).verdict.denial
}

fn with(text: &str) -> Result<Policies, Vec<PolicyError>> {
    Policies::with(&[("own.cedar".to_owned(), text.to_owned())])
}

#[test]
fn needs_role_and_environment_and_scope() {
    let access = access(false);
    let sender =
        principal(Some("production"), Role::Runtime, Some(&["production/events/crm:send"]));
    let send = Action::EventsSend;
    assert_eq!(denial(&access, &sender, send, on("production", "crm")), None);
    assert_eq!(denial(&access, &sender, send, on("production", "erp")), Some(Denial::Scope));
    assert_eq!(denial(&access, &sender, send, on("sandbox", "crm")), Some(Denial::Environment));
    let replay = Action::RunsReplay;
    assert_eq!(denial(&access, &sender, replay, on("production", "crm")), Some(Denial::Role));
}

#[test]
fn nothing_crosses_environments_and_nothing_is_done_outside_of_the_scopes() {
    let access = access(false);
    for role in Role::ALL {
        for kind in TokenKind::ALL {
            for action in Action::ALL {
                for granted in [false, true] {
                    let bound = Principal { kind, ..principal(Some("sandbox"), role, None) };
                    let there =
                        access.decide(&bound, action, on("production", "crm"), given(granted));
                    assert!(!there.verdict.allowed() || action.crosses(), "{role:?} {action:?}");
                    let scopes = ["production/events/other:send"];
                    let narrow = Principal { kind, ..principal(None, role, Some(&scopes)) };
                    let there =
                        access.decide(&narrow, action, on("production", "crm"), given(granted));
                    assert!(!there.verdict.allowed(), "{role:?} {action:?}");
                }
            }
        }
    }
}

#[test]
fn no_role_has_two_of_setup_execution_and_troubleshooting() {
    let matrix = Policies::shipped().matrix();
    for role in Role::ALL {
        let powers: BTreeSet<Power> = matrix
            .cells()
            .iter()
            .filter(|cell| cell.role == role && cell.outcome != Outcome::Deny)
            .map(|cell| cell.action.power())
            .filter(|power| power.is_exclusive())
            .collect();
        assert!(powers.len() <= 1, "{role:?} has {powers:?}");
    }
    let auditor = matrix.cells().iter().filter(|cell| cell.role == Role::Auditor);
    for cell in auditor.filter(|cell| cell.outcome != Outcome::Deny) {
        assert_eq!(cell.action.verb(), "read", "{:?}", cell.action);
    }
}

#[test]
fn payloads_and_retries_of_production_take_a_grant() {
    let access = access(false);
    let operator = principal(None, Role::Operator, None);
    for action in Action::ALL.into_iter().filter(|action| action.takes_grant()) {
        assert_eq!(
            denial(&access, &operator, action, on("production", "crm")),
            Some(Denial::Grant)
        );
        assert_eq!(denial(&access, &operator, action, on("sandbox", "crm")), None);
        assert!(
            access
                .decide(&operator, action, on("production", "crm"), given(true))
                .verdict
                .allowed()
        );
        // A grant does not make another role able to.
        let developer = principal(None, Role::Developer, None);
        let there = access.decide(&developer, action, on("production", "crm"), given(true));
        assert_eq!(there.verdict.denial, Some(Denial::Role));
    }
}

#[test]
fn what_belongs_to_another_unit_takes_that_units_grant() {
    let access = access(false);
    let (sales, finance) = (["sales".to_owned()], ["finance".to_owned()]);
    let both = ["finance".to_owned(), "sales".to_owned()];
    let none: [String; 0] = [];
    let auditor = principal(None, Role::Auditor, None);
    let denial = |owners: &[String], units: &[String], across, action| {
        let runs = Resource { units: owners, ..on("sandbox", "crm") };
        let so = Circumstances { across, units, granted: false };
        access.decide(&auditor, action, runs, so).verdict.denial
    };
    let read = Action::RunsRead;
    assert_eq!(denial(&sales, &sales, false, read), None);
    assert_eq!(denial(&sales, &both, false, read), None);
    assert_eq!(denial(&sales, &none, false, read), None, "the whole organisation's");
    assert_eq!(denial(&none, &sales, false, read), None, "nobody's");
    assert_eq!(denial(&sales, &finance, false, read), Some(Denial::Unit));
    assert_eq!(denial(&both, &finance, false, read), Some(Denial::Unit), "a list over both");
    assert_eq!(denial(&sales, &finance, true, read), None);
    // A grant across units gives nobody what his role has not.
    assert_eq!(denial(&sales, &finance, true, Action::RunsCancel), Some(Denial::Role));
    assert_eq!(denial(&sales, &finance, false, Action::PoliciesRead), None, "no unit's");
}

#[test]
fn what_is_done_over_all_environments_takes_productions_grant() {
    let operator = principal(None, Role::Operator, None);
    let denial = |action, production: &[&str], granted| {
        let production = production.iter().map(|name| name.parse().unwrap()).collect();
        let access = Access::new(false, production);
        let so = Circumstances { granted, ..Circumstances::default() };
        access.decide(&operator, action, Resource::default(), so).verdict.denial
    };
    for action in [Action::RunsInspect, Action::RunsReplay, Action::RunsBulk, Action::DlqRetry] {
        assert_eq!(denial(action, &["production"], false), Some(Denial::Grant));
        assert_eq!(denial(action, &[], false), None, "without production nothing does");
    }
    assert_eq!(denial(Action::RunsRead, &["production"], false), None, "it shows no payload");
}

#[test]
fn what_units_share_is_seen_by_each_and_changed_by_who_is_of_all() {
    let access = access(false);
    let admin = principal(None, Role::Admin, None);
    let units = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let denial = |owners: &[&str], own: &[&str], action| {
        let (owners, own) = (units(owners), units(own));
        let secret = Resource { units: &owners, ..on("sandbox", "crm/token") };
        let so = Circumstances { units: &own, ..Circumstances::default() };
        access.decide(&admin, action, secret, so).verdict.denial
    };
    let (both, refused) = (&["finance", "sales"][..], Some(Denial::Unit));
    for (see, change) in [
        (Action::SecretsRead, Action::SecretsWrite),
        (Action::ConnectionsRead, Action::ConnectionsWrite),
    ] {
        assert_eq!(denial(both, &["sales"], see), None);
        assert_eq!(denial(both, &["sales"], change), refused);
        assert_eq!(denial(both, both, change), None);
        assert_eq!(denial(both, &[], change), None, "the whole organisation's");
        assert_eq!(denial(both, &["legal"], see), refused);
        assert_eq!(denial(&["sales"], &["sales"], change), None);
        assert_eq!(denial(&["finance"], &["sales"], see), refused);
        assert_eq!(denial(&[], &["sales"], change), None, "nobody's");
    }
    // What is of the organisation as a whole is not shared.
    for action in [Action::TokensRead, Action::AuditRead, Action::PoliciesWrite, Action::TasksRead]
    {
        assert_eq!(denial(both, &["sales"], action), refused, "{}", action.as_str());
    }
}

#[test]
fn what_can_be_granted_across_units_only_shows() {
    let can: Vec<_> = Action::ALL.into_iter().filter(|action| action.crosses_units()).collect();
    let texts: Vec<_> = can.iter().map(|action| action.as_str()).collect();
    let these = [
        "runs:read",
        "runs:inspect",
        "dlq:read",
        "tasks:read",
        "ledger:read",
        "deployments:read",
        "captures:read",
        "captures:inspect",
    ];
    assert_eq!(texts, these);
}

#[test]
fn a_run_calls_systems_and_nothing_else_does() {
    let matrix = Policies::shipped().matrix();
    for cell in matrix.cells().iter().filter(|cell| cell.outcome != Outcome::Deny) {
        let run = cell.kind == TokenKind::Run;
        assert_eq!(run, cell.action == Action::SystemsCall, "{cell:?}");
        assert!(!run || cell.role == Role::Runtime, "{cell:?}");
    }
}

#[test]
fn the_owner_of_a_machine_may_do_all_on_a_server_that_is_his_alone() {
    let owner = Principal { kind: TokenKind::Local, ..principal(None, Role::Admin, None) };
    for action in Action::ALL {
        assert_eq!(denial(&access(true), &owner, action, on("production", "crm")), None);
    }
    assert_eq!(
        denial(&access(false), &owner, Action::EventsSend, on("production", "crm")),
        Some(Denial::Role)
    );
    assert_eq!(denial(&access(false), &owner, Action::TokensWrite, Resource::default()), None);
}

#[test]
fn a_project_may_forbid_and_permit() {
    let policies = with(
        "@id(\"no-nights\") forbid(principal, action == QC::Action::\"deployments:write\", resource)
           when { resource.production && principal.kind == \"api_key\" };
         permit(principal in QC::Role::\"approver\", action == QC::Action::\"dlq:read\", resource);",
    )
    .unwrap();
    let access = access(false);
    access.enforce(Arc::new(policies));
    let deployer = principal(None, Role::Deployer, None);
    let deploy = Action::DeploymentsWrite;
    let decided = access.decide(&deployer, deploy, on("production", "crm"), given(false));
    assert_eq!(decided.verdict.denial, Some(Denial::Policy));
    assert_eq!(decided.verdict.policies, ["own.cedar#no-nights"]);
    assert_ne!(decided.version, Policies::shipped().version());
    assert_eq!(denial(&access, &deployer, deploy, on("sandbox", "crm")), None);
    let approver = principal(None, Role::Approver, None);
    assert_eq!(denial(&access, &approver, Action::DlqRead, on("sandbox", "crm")), None);
}

#[test]
fn mistakes_of_a_project_are_told_with_their_place() {
    for (text, line, says) in [
        ("permit(principal, action, resource", 1, "unexpected"),
        ("\n\nforbid(principal, action == QC::Action::\"runs:reed\", resource);", 3, "runs:reed"),
        (
            "forbid(principal, action == QC::Action::\"runs:read\", resource) when { resource.nam == \"x\" };",
            1,
            "nam",
        ),
    ] {
        let errors = with(text).err().expect(text);
        assert_eq!(errors[0].file, "own.cedar", "{errors:?}");
        assert_eq!(errors[0].line, Some(line), "{errors:?}");
        assert!(errors[0].to_string().contains(says), "{errors:?}");
    }
    let template = with("forbid(principal == ?principal, action, resource);").err().unwrap();
    assert!(template[0].reason.contains("template"), "{template:?}");
    let twice =
        "@id(\"a\") forbid(principal, action, resource) when { resource.production };\n".repeat(2);
    assert!(with(&twice).err().unwrap()[0].reason.contains("`own.cedar#a`"));
}

#[test]
fn a_project_cannot_give_a_role_a_second_power() {
    for condition in ["", "when { resource has name && resource.name == \"crm\" }"] {
        let text = format!(
            "permit(principal in QC::Role::\"operator\", action == QC::Action::\"events:send\", resource) {condition};"
        );
        let errors = with(&text).err().unwrap();
        let says = "the role operator would have execute and troubleshoot";
        assert!(errors[0].reason.contains(says), "{errors:?}");
    }
    // What it permits stays within environments and scopes.
    let policies = with(
        "permit(principal in QC::Role::\"runtime\", action == QC::Action::\"dlq:read\", resource);",
    );
    let access = access(false);
    access.enforce(Arc::new(policies.unwrap()));
    let bound = principal(Some("sandbox"), Role::Runtime, None);
    let there = denial(&access, &bound, Action::DlqRead, on("production", "crm"));
    assert_eq!(there, Some(Denial::Environment));
}

#[test]
fn a_cell_that_depends_on_a_name_is_conditional() {
    let policies = with(
        "forbid(principal, action == QC::Action::\"releases:write\", resource)
           unless { principal.name == \"ci\" };
         permit(principal in QC::Role::\"approver\", action == QC::Action::\"dlq:read\", resource)
           when { resource has name && resource.name like \"crm*\" };",
    )
    .unwrap();
    let matrix = policies.matrix();
    let outcome = |role, action| {
        let found = matrix.cells().iter().find(|cell| {
            cell.role == role
                && cell.action == action
                && cell.kind == TokenKind::ApiKey
                && cell.scoped == Scoped::Without
                && !cell.production
        });
        found.unwrap().outcome
    };
    assert_eq!(outcome(Role::Deployer, Action::ReleasesWrite), Outcome::Conditional);
    assert_eq!(outcome(Role::Approver, Action::DlqRead), Outcome::Conditional);
    assert_eq!(outcome(Role::Runtime, Action::ReleasesWrite), Outcome::Deny);
    assert_eq!(outcome(Role::Deployer, Action::ReleasesRead), Outcome::Allow);
}

#[test]
fn a_matrix_that_was_reviewed_shows_what_has_changed() {
    let shipped = Policies::shipped().matrix();
    let reviewed = shipped.to_tsv();
    assert_eq!(shipped.differs_from(&reviewed), Ok(vec![]));
    assert!(reviewed.contains("operator\tsession\tnone\tproduction\truns:inspect\tgrant\n"));
    assert!(!reviewed.contains("\tother\tproduction\t"), "outside of the scopes nothing");
    let more = with(
        "permit(principal in QC::Role::\"approver\", action == QC::Action::\"dlq:read\", resource);",
    );
    let changes = more.unwrap().matrix().differs_from(&reviewed).unwrap();
    assert!(
        changes.iter().all(|change| change.cell.starts_with("approver\t")),
        "{}",
        changes.len()
    );
    // Two tiers, five kinds of token, with and without scopes.
    assert_eq!(changes.len(), 20);
    assert!(changes.iter().all(|c| (c.before, c.after) == (Outcome::Deny, Outcome::Allow)));
    assert_eq!(shipped.differs_from("role\n").unwrap_err().0, 1);
    let broken = reviewed.replacen("\tallow\n", "\tperhaps\n", 1);
    assert!(shipped.differs_from(&broken).is_err());
}

proptest! {
    /// What the matrix says is what is decided, whatever the names are.
    #[test]
    fn a_decision_is_never_wider_than_its_cell(
        name in "[a-z]{1,6}", person in proptest::option::of("[a-z]{1,4}"), granted: bool, cell in any::<prop::sample::Index>(),
    ) {
        static OWN: LazyLock<Policies> = LazyLock::new(|| with(
            "forbid(principal, action == QC::Action::\"runs:read\", resource) when { resource has name && resource.name like \"a*\" };
             permit(principal in QC::Role::\"runtime\", action == QC::Action::\"dlq:read\", resource) when { principal has person };",
        ).unwrap());
        static MATRIX: LazyLock<Matrix> = LazyLock::new(|| OWN.matrix());
        let cell = cell.get(MATRIX.cells());
        let question = Question {
            subject: Subject {
                id: "k".into(), name: "n".into(), kind: cell.kind, role: cell.role,
                environment: None, person, units: Vec::new(),
            },
            action: cell.action,
            environment: Some(if cell.production { "production" } else { "sandbox" }.into()),
            name: Some(name),
            production: cell.production,
            units: Vec::new(),
            in_scope: cell.scoped != Scoped::Outside,
            granted,
            across: false,
            local: false,
        };
        let allowed = OWN.decide(&question).allowed();
        match cell.outcome {
            Outcome::Allow => prop_assert!(allowed),
            Outcome::Grant => prop_assert_eq!(allowed, granted),
            Outcome::Deny => prop_assert!(!allowed),
            Outcome::Conditional => {}
        }
    }
}

#[test]
fn a_question_that_was_kept_is_decided_again_alike() {
    let access = access(false);
    let operator = principal(Some("production"), Role::Operator, None);
    let decided =
        access.decide(&operator, Action::RunsInspect, on("production", "crm"), given(false));
    let kept = serde_json::to_string(&decided.question).unwrap();
    let read: Question = serde_json::from_str(&kept).unwrap();
    assert_eq!(Policies::shipped().decide(&read), decided.verdict);
}
