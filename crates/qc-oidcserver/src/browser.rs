use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
};

use url::Url;

/// What a browser does at servers that speak plain HTTP on the loopback address: it keeps cookies, by server, and says at
/// the provider who sits in front of it.
#[derive(Debug, Default)]
pub struct Browser {
    /// Who signs in at the provider; None declines.
    pub person: Option<String>,
    /// By `host:port`, then by name.
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

/// What a server answered.
#[derive(Debug)]
pub struct Page {
    /// Where it came from.
    pub url: Url,
    /// The HTTP status.
    pub status: u16,
    /// The header's fields, with names in lower case.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Page {
    /// The first field of this name, in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Where a redirect leads, or a page that says so by itself.
    pub fn redirect(&self) -> Option<Url> {
        let moved = self.field("location").filter(|_| (300..400).contains(&self.status));
        let to = moved.or_else(|| self.field("refresh")?.strip_prefix("0; url="))?;
        Some(self.url.join(to).expect("a redirect leads to a URL"))
    }

    /// The value of the form's field with this name.
    pub fn input(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(&format!("name=\"{name}\""))?;
        let (_, rest) = rest.split('>').next()?.split_once("value=\"")?;
        rest.split('"').next()
    }
}

impl Browser {
    /// Somebody in front of it.
    pub fn of(person: &str) -> Self {
        Self { person: Some(person.to_owned()), ..Self::default() }
    }

    /// The text of a cookie.
    pub fn cookie(&self, url: &Url, name: &str) -> Option<&str> {
        self.cookies.get(&authority(url))?.get(name).map(String::as_str)
    }

    /// Gets a page, and what it leads to, as long as that is at the same server; then the page that leads away, or
    /// nowhere.
    pub fn get(&mut self, url: &Url) -> Page {
        let page = self.ask("GET", url, &[], "");
        self.follow(page)
    }

    /// Sends a form as the page at the same server would, and goes on as [`Browser::get`] does.
    pub fn post(&mut self, url: &Url, form: &[(&str, &str)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let origin = format!("http://{}", authority(url));
        let fields =
            [("content-type", "application/x-www-form-urlencoded"), ("origin", origin.as_str())];
        let page = self.ask("POST", url, &fields, &body);
        self.follow(page)
    }

    fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..20 {
            match page.redirect() {
                Some(to) if authority(&to) == authority(&page.url) => {
                    page = self.ask("GET", &to, &[], "");
                }
                _ => return page,
            }
        }
        panic!("{} leads round in circles", page.url)
    }

    /// One request, which follows nothing.
    pub fn ask(&mut self, method: &str, url: &Url, fields: &[(&str, &str)], body: &str) -> Page {
        let host = authority(url);
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let mut head = vec![format!("{method} {path} HTTP/1.0"), format!("host: {host}")];
        let mut field = |name: &str, value: &str| head.push(format!("{name}: {value}"));
        let cookies = self.cookies.entry(host.clone()).or_default();
        if !cookies.is_empty() {
            let all: Vec<_> =
                cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            field("cookie", &all.join("; "));
        }
        if let Some(person) = &self.person {
            field("x-person", person);
        }
        for (name, value) in fields {
            field(name, value);
        }
        field("content-length", &body.len().to_string());
        let mut stream = TcpStream::connect(&host).expect("the server runs");
        stream
            .write_all(format!("{}\r\n\r\n{body}", head.join("\r\n")).as_bytes())
            .expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it answers");
        let (head, body) = text.split_once("\r\n\r\n").expect("it speaks HTTP");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let fields: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        for (_, value) in fields.iter().filter(|(name, _)| name == "set-cookie") {
            let cookie = value.split(';').next().unwrap_or_default();
            let (name, value) = cookie.split_once('=').expect("a cookie has a value");
            if value.is_empty() {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let status = status.expect("it speaks HTTP");
        Page { url: url.clone(), status, fields, body: body.to_owned() }
    }
}

fn authority(url: &Url) -> String {
    url[url::Position::BeforeHost..url::Position::AfterPort].to_owned()
}
