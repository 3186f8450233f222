use qc_expression::{Limits, Scope};
use qc_model::{Class, Failure};
use qc_workflow::{CallOutput, CallRequest};
use serde_json::Value;
use url::Url;

use super::{
    CallRecord, Outbound,
    answer::Answer,
    exchange::Prepared,
    job::{Job, Sending},
    observe::Observed,
};
use crate::{
    codes,
    connector::{PageStyle, Pagination},
};

/// Where the next page is.
enum Next {
    Argument(String, Value),
    Address(Url),
}

impl Outbound {
    /// Reads all pages of an operation and yields their items as one list. A list that cannot be read to its end is a
    /// failure: a workflow that takes half a list for the whole does harm.
    pub(super) async fn pages(
        &self,
        job: &Job<'_>,
        call: &CallRequest,
        rule: &Pagination,
        arguments: &Value,
        record: &mut CallRecord,
        drift: &mut Observed,
    ) -> Result<CallOutput, Box<Failure>> {
        let mut arguments = arguments.clone();
        if arguments.is_null() {
            arguments = Value::Object(serde_json::Map::new());
        }
        if let PageStyle::Page { parameter, first } = &rule.style
            && arguments.get(parameter).is_none()
        {
            arguments[parameter.as_str()] = Value::from(*first);
        }
        let mut request = self.prepare(job, call, Sending::Operation(&arguments))?;
        let mut items: Vec<Value> = Vec::new();
        for page in 1..=rule.max_pages {
            let read = self.once(job, &request, record, drift).await;
            // A page is not the answer.
            drift.unfit = None;
            let (mut output, answer) = read?;
            let found = self.items(rule, &output.content)?;
            let count = found.len();
            items.extend(found);
            if record.response_bytes > self.response_limit as u64 {
                return Err(too_long("the pages together are larger than one answer may be"));
            }
            match self.next(rule, &arguments, &output.content, &answer, count)? {
                None => {
                    output.content = Value::Array(items);
                    return Ok(output);
                }
                Some(_) if page == rule.max_pages => break,
                Some(Next::Argument(name, value)) => {
                    arguments[name.as_str()] = value;
                    request = self.prepare(job, call, Sending::Operation(&arguments))?;
                }
                Some(Next::Address(url)) => request = moved(request, &url),
            }
        }
        Err(too_long(&format!("there are more than {} pages", rule.max_pages)))
    }

    fn scope(&self) -> Scope<'static> {
        Scope { variables: &[], now_ms: self.clock.now().as_millis(), limits: Limits::default() }
    }

    fn items(&self, rule: &Pagination, content: &Value) -> Result<Vec<Value>, Box<Failure>> {
        match rule.items.evaluate(content, &self.scope()) {
            Ok(Value::Array(items)) => Ok(items),
            Ok(_) => Err(broken("`items` of the pagination gives no list for this page")),
            Err(error) => Err(broken(&format!("`items` of the pagination fails: {error}"))),
        }
    }

    fn next(
        &self,
        rule: &Pagination,
        arguments: &Value,
        content: &Value,
        answer: &Answer,
        count: usize,
    ) -> Result<Option<Next>, Box<Failure>> {
        match &rule.style {
            PageStyle::Cursor { cursor, parameter } => {
                let next = cursor.evaluate(content, &self.scope()).map_err(|error| {
                    broken(&format!("`cursor` of the pagination fails: {error}"))
                })?;
                if matches!(&next, Value::Null | Value::Bool(false))
                    || next.as_str().is_some_and(str::is_empty)
                {
                    return Ok(None);
                }
                if arguments.get(parameter) == Some(&next) {
                    return Err(broken("the cursor of the next page is that of this page"));
                }
                Ok(Some(Next::Argument(parameter.clone(), next)))
            }
            PageStyle::Link => next_link(answer).map(|next| next.map(Next::Address)),
            PageStyle::Offset { parameter } => {
                let so_far = arguments.get(parameter).and_then(Value::as_u64).unwrap_or(0);
                let next = so_far + count as u64;
                Ok((count > 0).then(|| Next::Argument(parameter.clone(), next.into())))
            }
            PageStyle::Page { parameter, first } => {
                let this = arguments.get(parameter).and_then(Value::as_u64);
                let next = this.unwrap_or(u64::from(*first)) + 1;
                Ok((count > 0).then(|| Next::Argument(parameter.clone(), next.into())))
            }
        }
    }
}

/// The `Link` with `rel="next"` (RFC 8288). It must stay at its origin: the credential goes along.
fn next_link(answer: &Answer) -> Result<Option<Url>, Box<Failure>> {
    for value in &answer.links {
        let Ok(mut rest) = value.to_str() else { continue };
        while let Some(open) = rest.find('<') {
            let Some(close) = rest[open..].find('>').map(|at| at + open) else { break };
            let target = &rest[open + 1..close];
            let after = &rest[close + 1..];
            let end = after.find(", <").or_else(|| after.find(",<")).unwrap_or(after.len());
            if is_next(&after[..end]) {
                let here = Url::parse(&answer.url).map_err(|_| broken("the address is no URL"))?;
                let next =
                    here.join(target).map_err(|_| broken("the next page's link is no URL"))?;
                if next.origin() != here.origin() {
                    return Err(broken("the next page's link leads to another origin"));
                }
                return Ok((next != here).then_some(next));
            }
            rest = &after[end..];
        }
    }
    Ok(None)
}

fn is_next(parameters: &str) -> bool {
    parameters.split(';').any(|one| {
        let Some((name, value)) = one.trim().split_once('=') else { return false };
        name.trim().eq_ignore_ascii_case("rel")
            && value.trim().trim_matches('"').split(' ').any(|rel| rel.eq_ignore_ascii_case("next"))
    })
}

/// The same request at another address. Its query is the vendor's and can repeat a secret: it is sent, not shown.
fn moved(mut request: Prepared, url: &Url) -> Prepared {
    let mut shown = url.clone();
    shown.set_query(None);
    request.shown_url = shown.to_string();
    request.url = url.to_string();
    request
}

fn broken(detail: &str) -> Box<Failure> {
    failure(Class::Drift, detail)
}

fn too_long(detail: &str) -> Box<Failure> {
    failure(Class::Permanent, detail)
}

fn failure(class: Class, detail: &str) -> Box<Failure> {
    Box::new(Failure::new(
        class,
        codes::PAGINATION,
        "A paginated answer could not be read to its end",
        detail,
    ))
}
