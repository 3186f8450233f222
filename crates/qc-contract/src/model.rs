//! What an API offers, in one shape for all versions of OpenAPI.

use std::fmt;
use std::sync::Arc;

use crate::documents::At;

/// The versions of the standard that are read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Version {
    /// Swagger 2.0.
    V2,
    /// OpenAPI 3.0.x.
    V3_0,
    /// OpenAPI 3.1.x and 3.2.x.
    V3_1,
}

/// An HTTP method that a path can have.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are HTTP's")]
pub enum Method {
    Get,
    Put,
    Post,
    Delete,
    Options,
    Head,
    Patch,
    Trace,
    Query,
    /// Any other one, of `additionalOperations` (OpenAPI 3.2).
    Other(MethodName),
}

impl Method {
    /// All methods with the key that OpenAPI uses for them.
    pub(crate) const KEYS: [(&'static str, Self); 9] = [
        ("get", Self::Get),
        ("put", Self::Put),
        ("post", Self::Post),
        ("delete", Self::Delete),
        ("options", Self::Options),
        ("head", Self::Head),
        ("patch", Self::Patch),
        ("trace", Self::Trace),
        ("query", Self::Query),
    ];

    /// A method by the name that HTTP has for it, as it stands in requests. `None`: no method can have that name, or it is
    /// longer than [`MethodName::LONGEST`].
    pub(crate) fn named(name: &str) -> Option<Self> {
        let known = Self::KEYS.iter().find(|(_, method)| method.as_str() == name);
        known.map(|(_, method)| *method).or_else(|| MethodName::new(name).map(Self::Other))
    }

    /// As HTTP writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Head => "HEAD",
            Self::Patch => "PATCH",
            Self::Trace => "TRACE",
            Self::Query => "QUERY",
            Self::Other(name) => name.as_str(),
        }
    }
}

/// The name of a method that OpenAPI has no key for: a token of HTTP (RFC 9110, section 5.6.2), by value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MethodName {
    /// The name, then zeros, which no token has.
    text: [u8; Self::LONGEST],
}

impl MethodName {
    /// In bytes. The longest of those that are registered, `UPDATEREDIRECTREF`, has 17.
    pub const LONGEST: usize = 24;

    fn new(name: &str) -> Option<Self> {
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        let mut text = [0; Self::LONGEST];
        text.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Some(Self { text })
    }

    fn as_str(&self) -> &str {
        let end = self.text.iter().position(|byte| *byte == 0).unwrap_or(Self::LONGEST);
        std::str::from_utf8(&self.text[..end]).unwrap_or_default()
    }
}

impl fmt::Debug for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A schema by where it stands. Cheap to clone; a key for caches. [`crate::OpenApi::schema`] gives its value.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct SchemaAt {
    /// Index of the file.
    pub(crate) file: usize,
    /// JSON Pointer in the file.
    pub(crate) pointer: Arc<str>,
    /// Swagger 2.0 form fields that together are one object schema: then the pointer is the operation's.
    pub(crate) fields: Option<Arc<[FormField]>>,
}

impl SchemaAt {
    /// JSON Pointer of the schema in its file.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }
}

/// One `formData` parameter of Swagger 2.0.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(crate) struct FormField {
    pub(crate) name: Arc<str>,
    pub(crate) required: bool,
    pub(crate) file: usize,
    pub(crate) pointer: Arc<str>,
}

/// One thing that an API can do.
#[derive(Clone, Debug)]
pub struct Operation {
    /// `operationId`, or the derived id such as `get_pets_petId`.
    pub id: Arc<str>,
    /// Whether the id is derived because the document gives none.
    pub derived_id: bool,
    /// HTTP method.
    pub method: Method,
    /// Path template, such as `/pets/{petId}`.
    pub path: Arc<str>,
    /// One line of text, or nothing.
    pub summary: Option<Arc<str>>,
    /// Marked deprecated.
    pub deprecated: bool,
    /// Tags, in order.
    pub tags: Vec<Arc<str>>,
    /// Parameters, those of the path item included (overridden ones not).
    pub parameters: Vec<Parameter>,
    /// The body, if it has one.
    pub request_body: Option<RequestBody>,
    /// What it may answer, in order of the document.
    pub responses: Vec<Response>,
    /// Alternatives of which one must be satisfied; an empty list means none is needed.
    pub security: Vec<SecurityRequirement>,
    /// Where it is served: the most specific list of the document.
    pub servers: Vec<Server>,
    /// What the API calls back at addresses that a request of this operation names.
    pub callbacks: Vec<Callback>,
    pub(crate) file: usize,
    pub(crate) pointer: Arc<str>,
}

impl Operation {
    /// What the contract says about a status: the exact entry, else its range (`4XX`), else `default`.
    pub fn response(&self, status: u16) -> Option<&Response> {
        let by = |wanted: StatusPattern| self.responses.iter().find(|r| r.status == wanted);
        by(StatusPattern::Exact(status))
            .or_else(|| by(StatusPattern::Range(u8::try_from(status / 100).unwrap_or(0))))
            .or_else(|| by(StatusPattern::Default))
    }

    /// JSON Pointer of the operation in its file.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// A parameter by place and name (header names in any case).
    pub fn parameter(&self, location: ParameterLocation, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| {
            parameter.location == location
                && match location {
                    ParameterLocation::Header => parameter.name.eq_ignore_ascii_case(name),
                    _ => &*parameter.name == name,
                }
        })
    }
}

/// Where a parameter travels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are HTTP's")]
pub enum ParameterLocation {
    Path,
    Query,
    Header,
    Cookie,
    /// All of the query as one value (OpenAPI 3.2).
    Querystring,
}

impl ParameterLocation {
    /// As OpenAPI writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
            Self::Querystring => "querystring",
        }
    }
}

/// How a list or object becomes text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Style {
    /// `a,b`
    Simple,
    /// `.a.b`
    Label,
    /// `;name=a,b`
    Matrix,
    /// `name=a,b` or `name=a&name=b`
    Form,
    /// `a b`
    SpaceDelimited,
    /// `a|b`
    PipeDelimited,
    /// Tabs; Swagger 2.0's `tsv`.
    TabDelimited,
    /// `name[key]=value`
    DeepObject,
}

/// One parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name on the wire.
    pub name: Arc<str>,
    /// Where it travels.
    pub location: ParameterLocation,
    /// Whether it must be there; always so in a path.
    pub required: bool,
    /// Marked deprecated.
    pub deprecated: bool,
    /// How lists and objects become text.
    pub style: Style,
    /// Whether items and properties become parameters of their own.
    pub explode: bool,
    /// Whether reserved characters such as `/` stay bare in a query.
    pub allow_reserved: bool,
    /// Its schema.
    pub schema: Option<SchemaAt>,
    /// Set when the value travels as a document of this media type (`content` instead of `schema`).
    pub media_type: Option<Arc<str>>,
    pub(crate) at: At,
}

/// A group of requests that the API itself sends.
#[derive(Clone, Debug)]
pub struct Callback {
    /// The name that the description gives it.
    pub name: Arc<str>,
    /// What is sent: the paths are runtime expressions such as `{$request.body#/url}`.
    pub operations: Vec<Operation>,
}

/// A request's body.
#[derive(Clone, Debug)]
pub struct RequestBody {
    /// Whether it must be there.
    pub required: bool,
    /// Its possible media types, in order of the document.
    pub content: Vec<Content>,
    pub(crate) at: At,
}

/// A media type with its schema.
#[derive(Clone, Debug)]
pub struct Content {
    /// Such as `application/json` or `text/*`.
    pub media_type: Arc<str>,
    /// The schema, if any.
    pub schema: Option<SchemaAt>,
    /// Pointers of the examples' values, in order; the file is the schema's or the operation's.
    pub(crate) examples: Vec<(usize, Arc<str>)>,
    pub(crate) at: At,
}

/// One documented answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// For which statuses.
    pub status: StatusPattern,
    /// The document's text.
    pub description: Option<Arc<str>>,
    /// Documented headers.
    pub headers: Vec<Header>,
    /// Its possible media types; empty means no body is described.
    pub content: Vec<Content>,
    pub(crate) at: At,
}

/// A documented response header.
#[derive(Clone, Debug)]
pub struct Header {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it must be there.
    pub required: bool,
    /// Its schema.
    pub schema: Option<SchemaAt>,
    pub(crate) at: At,
}

/// The statuses that a response entry is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum StatusPattern {
    /// `404`
    Exact(u16),
    /// `4XX`
    Range(u8),
    /// `default`
    Default,
}

impl fmt::Display for StatusPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(status) => write!(f, "{status}"),
            Self::Range(range) => write!(f, "{range}XX"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Schemes that must all be satisfied, each with the scopes it needs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SecurityRequirement {
    /// Name of a scheme, and scopes.
    pub schemes: Vec<(Arc<str>, Vec<Arc<str>>)>,
}

/// How callers prove who they are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SecurityScheme {
    /// A key in a header, query or cookie.
    ApiKey {
        /// Where.
        location: ParameterLocation,
        /// Name of the header, query parameter or cookie.
        name: Arc<str>,
    },
    /// An HTTP authentication scheme, lower case: `basic`, `bearer`.
    Http {
        /// The scheme.
        scheme: Arc<str>,
    },
    /// OAuth 2.0.
    OAuth2 {
        /// Name of a flow and its addresses.
        flows: Vec<OAuthFlow>,
    },
    /// OpenID Connect.
    OpenIdConnect {
        /// Address of the discovery document.
        url: Arc<str>,
    },
    /// Client certificates.
    MutualTls,
}

/// One way of getting an OAuth 2.0 token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OAuthFlow {
    /// `authorizationCode`, `clientCredentials`, `password` or `implicit`.
    pub name: Arc<str>,
    /// Where users consent.
    pub authorization_url: Option<Arc<str>>,
    /// Where tokens come from.
    pub token_url: Option<Arc<str>>,
    /// Known scopes.
    pub scopes: Vec<Arc<str>>,
}

/// A base address, with variables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// The template, such as `https://{region}.example.com/v1`; may be relative.
    pub url: Arc<str>,
    /// Variables and their defaults.
    pub variables: Vec<(Arc<str>, Arc<str>)>,
}

impl Server {
    /// The address with its variables filled in: given ones first, defaults otherwise.
    pub fn address(&self, given: &dyn Fn(&str) -> Option<String>) -> String {
        let mut address = self.url.to_string();
        for (name, default) in &self.variables {
            let value = given(name).unwrap_or_else(|| default.to_string());
            address = address.replace(&format!("{{{name}}}"), &value);
        }
        address
    }
}
