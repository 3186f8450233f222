//! Operations over channels, as AsyncAPI describes them: which are there, over which addresses, with which replies.

use super::super::found::Said;
use super::super::outcome::Use;
use super::super::rules::{self, Rule};
use super::super::side::Spot;
use super::super::walk::Bound;
use super::operations::bare;
use super::{Comparing, Scope, names_of, whole_document};
use crate::asyncapi::{Action, AsyncApi, Broker, Channel, Exchange, Reply};
use crate::mismatch::Direction;

/// Texts about a channel or an operation.
const TEXTS: [&str; 5] = ["title", "summary", "description", "tags", "externalDocs"];

/// Which way the messages of an operation travel: what is sent is read by consumers.
fn way(action: Action) -> Direction {
    match action {
        Action::Send => Direction::Response,
        Action::Receive => Direction::Request,
    }
}

/// What makes two channels the same on the wire: the names of parameters are the document's own.
fn address(channel: &Channel) -> Option<String> {
    channel.address.as_deref().map(bare)
}

/// The operation of the other version that an operation became: the one of its name, or the one that does the same at
/// the same address.
fn same<'d>(one: &Exchange, others: &'d [Exchange], named: &[Exchange]) -> Option<&'d Exchange> {
    let by_name = others.iter().find(|other| other.id == one.id && other.action == one.action);
    by_name.or_else(|| {
        let is_free = |other: &&Exchange| {
            !named.iter().any(|named| named.id == other.id && named.action == other.action)
        };
        let is_same = |other: &&Exchange| {
            other.action == one.action
                && address(&other.channel).is_some()
                && address(&other.channel) == address(&one.channel)
        };
        others.iter().filter(is_free).find(is_same)
    })
}

fn scope(operation: &Exchange) -> Scope {
    let place = operation.channel.address.as_ref().unwrap_or(&operation.channel.id);
    Scope {
        operation: Use::from(format!("{} {place}", operation.action.as_str())),
        part: String::new(),
        request: way(operation.action),
        bound: Bound::NONE,
        is_error: false,
    }
}

impl<'d> Comparing<'_, 'd> {
    /// Compares everything of two descriptions of channels.
    pub(in super::super) fn all_exchanges(&mut self, old: &'d AsyncApi, new: &'d AsyncApi) {
        self.compare_documents();
        self.compare_brokers(old.brokers(), new.brokers());
        self.compare_definitions();
        let (was, is) = (old.operations(), new.operations());
        let mut matched: Vec<*const Exchange> = Vec::new();
        for one in was {
            let free =
                same(one, is, was).filter(|other| !matched.contains(&std::ptr::from_ref(other)));
            match free {
                Some(other) => {
                    matched.push(std::ptr::from_ref(other));
                    self.compare_exchange(one, other);
                }
                None => self.exchange_gone(one),
            }
        }
        for other in is.iter().filter(|other| !matched.contains(&std::ptr::from_ref(*other))) {
            self.exchange_added(other);
        }
        self.compare_unused();
        self.outcome.is_cut_short |= self.walker.cut_short;
    }

    fn exchange_gone(&mut self, operation: &'d Exchange) {
        let rule: &'static Rule = match operation.action {
            Action::Send => &rules::SEND_OPERATION_REMOVED,
            Action::Receive => &rules::RECEIVE_OPERATION_REMOVED,
        };
        let scope = scope(operation);
        let spot = self.old.at(&operation.at);
        let said = (Said::new(spot, &*scope.operation), Said::absent(self.new.root()));
        self.say(rule, said.0, said.1, format!("`{}` is gone", operation.id), &scope);
    }

    fn exchange_added(&mut self, operation: &'d Exchange) {
        let rule: &'static Rule = match operation.action {
            Action::Send => &rules::SEND_OPERATION_ADDED,
            Action::Receive => &rules::RECEIVE_OPERATION_ADDED,
        };
        let scope = scope(operation);
        let spot = self.new.at(&operation.at);
        let said = (Said::absent(self.old.root()), Said::new(spot, &*scope.operation));
        self.say(rule, said.0, said.1, format!("`{}` is there now", operation.id), &scope);
    }

    fn compare_exchange(&mut self, old: &'d Exchange, new: &'d Exchange) {
        let scope = &scope(new);
        let spots = (self.old.at(&old.at), self.new.at(&new.at));
        if old.id != new.id {
            let said = (Said::new(spots.0, &*old.id), Said::new(spots.1, &*new.id));
            let message = format!("the operation `{}` is called `{}`", old.id, new.id);
            self.say(&rules::OPERATION_ID_CHANGED, said.0, said.1, message, scope);
        }
        self.compare_texts(&rules::EVENT_TEXT_CHANGED, spots, &TEXTS, scope);
        self.compare_bindings(spots, scope);
        self.compare_channels(&old.channel, &new.channel, scope);
        let way = scope.request;
        self.compare_messages(&old.messages, &new.messages, way, spots, scope);
        self.compare_replies((old.reply.as_ref(), new.reply.as_ref()), spots, scope);
        let around = (
            spots.0.get("security").unwrap_or(spots.0),
            spots.1.get("security").unwrap_or(spots.1),
        );
        self.compare_requirements(&old.security, &new.security, around, scope);
        self.compare_limits(spots, scope);
    }

    fn compare_channels(&mut self, old: &'d Channel, new: &'d Channel, scope: &Scope) {
        let scope = &scope.part(format!("channel `{}`", new.id));
        let spots = (self.old.at(&old.at), self.new.at(&new.at));
        // An address that is not written is found at run time.
        if address(old) != address(new) {
            let key = "address";
            let said =
                (Said::maybe(spots.0.get(key), spots.0), Said::maybe(spots.1.get(key), spots.1));
            let message = "the messages travel over another address";
            self.say(&rules::CHANNEL_ADDRESS_CHANGED, said.0, said.1, message, scope);
        }
        self.compare_texts(&rules::EVENT_TEXT_CHANGED, spots, &TEXTS, scope);
        self.compare_bindings(spots, scope);
        for name in names_of(spots.0, spots.1, "parameters") {
            let get = |spot: Spot<'d>| spot.get("parameters").and_then(|all| all.get(name));
            let both = (
                get(spots.0).and_then(|spot| self.old.follow(spot)),
                get(spots.1).and_then(|spot| self.new.follow(spot)),
            );
            if let (Some(one), Some(other)) = both {
                let part = format!("{}, parameter `{name}`", scope.part);
                self.compare_address_parameter(one, other, &scope.part(part));
            }
        }
    }

    /// A parameter of an address: texts, of which some or all may be listed.
    fn compare_address_parameter(&mut self, old: Spot<'d>, new: Spot<'d>, scope: &Scope) {
        let values = |spot: Spot<'d>| -> Vec<&'d str> {
            spot.items("enum").filter_map(|item| item.node.as_str()).collect()
        };
        let (was, is) = (values(old), values(new));
        let lacks = |list: &[&str], other: &[&str]| {
            !list.is_empty() && (other.is_empty() || other.iter().any(|one| !list.contains(one)))
        };
        let said = |key: &str| (Said::maybe(old.get(key), old), Said::maybe(new.get(key), new));
        if lacks(&is, &was) {
            let rule = &rules::CHANNEL_PARAMETER_NARROWED;
            self.say(rule, said("enum").0, said("enum").1, "it lost values", scope);
        }
        if lacks(&was, &is) {
            let rule = &rules::CHANNEL_PARAMETER_WIDENED;
            self.say(rule, said("enum").0, said("enum").1, "it has values more", scope);
        }
        if old.text("default") != new.text("default") {
            let rule = &rules::CHANNEL_PARAMETER_DEFAULT_CHANGED;
            self.say(rule, said("default").0, said("default").1, "the default is another", scope);
        }
        let texts = ["description", "examples", "location"];
        self.compare_texts(&rules::EVENT_TEXT_CHANGED, (old, new), &texts, scope);
    }

    fn compare_replies(
        &mut self,
        both: (Option<&'d Reply>, Option<&'d Reply>),
        around: (Spot<'d>, Spot<'d>),
        scope: &Scope,
    ) {
        let scope = &scope.part("reply");
        let (old, new) = match both {
            (None, None) => return,
            (Some(old), None) => {
                let said = (Said::new(self.old.at(&old.at), "a reply"), Said::absent(around.1));
                return self.say(&rules::REPLY_REMOVED, said.0, said.1, "no reply comes", scope);
            }
            (None, Some(new)) => {
                let said = (Said::absent(around.0), Said::new(self.new.at(&new.at), "a reply"));
                return self.say(&rules::REPLY_ADDED, said.0, said.1, "there is a reply", scope);
            }
            (Some(old), Some(new)) => (old, new),
        };
        let spots = (self.old.at(&old.at), self.new.at(&new.at));
        let where_to = |reply: &Reply| {
            let channel = reply.channel.as_ref();
            (reply.location.clone(), channel.and_then(address))
        };
        if where_to(old) != where_to(new) {
            let said = (Said::value(spots.0), Said::value(spots.1));
            let message = "replies travel over another address";
            self.say(&rules::REPLY_ADDRESS_CHANGED, said.0, said.1, message, scope);
        }
        // Whoever receives sends the reply.
        let way = scope.answer();
        self.compare_messages(&old.messages, &new.messages, way, spots, scope);
    }

    pub(super) fn compare_bindings(&mut self, spots: (Spot<'d>, Spot<'d>), scope: &Scope) {
        let both = (
            spots.0.get("bindings").and_then(|spot| self.old.follow(spot)),
            spots.1.get("bindings").and_then(|spot| self.new.follow(spot)),
        );
        let is_same = match both {
            (None, None) => true,
            (Some(one), Some(other)) => super::super::shape::same_value(one.node, other.node),
            _ => false,
        };
        if !is_same {
            let said = (Said::maybe(both.0, spots.0), Said::maybe(both.1, spots.1));
            self.say(&rules::BINDING_CHANGED, said.0, said.1, "`bindings` is another", scope);
        }
    }

    /// Servers by their names; what was under another name at the same address is the same.
    fn compare_brokers(&mut self, old: &'d [Broker], new: &'d [Broker]) {
        let scope = &whole_document().part("servers");
        let roots = (self.old.root(), self.new.root());
        for one in old {
            let spot = self.old.at(&one.at);
            let other = new.iter().find(|other| other.name == one.name).or_else(|| {
                new.iter().find(|other| {
                    other.address == one.address && !old.iter().any(|o| o.name == other.name)
                })
            });
            let Some(other) = other else {
                let said = (Said::new(spot, &*one.address), Said::absent(roots.1));
                let message = format!("`{}` is not listed any more", one.name);
                self.say(&rules::SERVER_REMOVED, said.0, said.1, message, scope);
                continue;
            };
            self.compare_broker((one, spot), (other, self.new.at(&other.at)), scope);
        }
        for other in new {
            let is_known = |one: &Broker| one.name == other.name || one.address == other.address;
            if !old.iter().any(is_known) {
                let said =
                    (Said::absent(roots.0), Said::new(self.new.at(&other.at), &*other.address));
                let message = format!("`{}` is listed", other.name);
                self.say(&rules::SERVER_ADDED, said.0, said.1, message, scope);
            }
        }
    }

    fn compare_broker(
        &mut self,
        (old, was): (&'d Broker, Spot<'d>),
        (new, is): (&'d Broker, Spot<'d>),
        scope: &Scope,
    ) {
        let scope = &scope.part(format!("server `{}`", new.name));
        let said = |key: &str| (Said::maybe(was.get(key), was), Said::maybe(is.get(key), is));
        let differs = |key: &str| was.text(key) != is.text(key);
        if let Some(key) = ["protocol", "protocolVersion"].into_iter().find(|key| differs(key)) {
            let message = format!("its `{key}` is another");
            self.say(&rules::SERVER_PROTOCOL_CHANGED, said(key).0, said(key).1, message, scope);
        }
        if let Some(key) = ["host", "pathname"].into_iter().find(|key| differs(key)) {
            let message = format!("`{}` is not listed any more", old.address);
            self.say(&rules::SERVER_REMOVED, said(key).0, said(key).1, message, scope);
        }
        self.compare_texts(&rules::SERVER_CHANGED, (was, is), &TEXTS, scope);
        self.compare_texts(&rules::SERVER_VARIABLE_NARROWED, (was, is), &["variables"], scope);
        self.compare_bindings((was, is), scope);
        let around = (was.get("security").unwrap_or(was), is.get("security").unwrap_or(is));
        self.compare_requirements(&old.security, &new.security, around, scope);
    }
}
