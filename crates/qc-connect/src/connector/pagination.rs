use qc_document::ObjectReader;
use qc_expression::Expression;

use super::expression;

/// Pages read when nothing is declared.
const PAGES: i64 = 100;
/// The most that can be declared.
const MOST_PAGES: i64 = 1_000;

/// How an operation's pages are read, so that a call of it yields all items as one list.
#[derive(Debug, Clone)]
pub struct Pagination {
    /// How the next page is found.
    pub style: PageStyle,
    /// The items of a page, over its content: a list.
    pub items: Expression,
    /// The most pages of one call. More is a failure, never a cut-off list.
    pub max_pages: u32,
}

/// How the next page is found.
#[derive(Debug, Clone)]
pub enum PageStyle {
    /// The page names the next one.
    Cursor {
        /// The cursor, over the page's content; null, "" and false end the list.
        cursor: Expression,
        /// The argument that takes it.
        parameter: String,
    },
    /// The `Link` header with `rel="next"` (RFC 8288), of the same origin.
    Link,
    /// An argument counts items.
    Offset {
        /// The argument.
        parameter: String,
    },
    /// An argument counts pages.
    Page {
        /// The argument.
        parameter: String,
        /// The first page's number.
        first: u32,
    },
}

#[derive(Clone, Copy)]
enum Style {
    Cursor,
    Link,
    Offset,
    Page,
}

impl Pagination {
    pub(super) fn read(mut object: ObjectReader<'_, '_>) -> Option<Self> {
        let styles = [
            ("cursor", Style::Cursor),
            ("link", Style::Link),
            ("offset", Style::Offset),
            ("page", Style::Page),
        ];
        let reader = object.reader();
        let chosen = object.choice("style", &styles);
        let items =
            object.required("items").and_then(|node| expression::parse(reader, "items", node, &[]));
        let max_pages = object.optional_integer("max_pages", 1..=MOST_PAGES).unwrap_or(PAGES);
        let style = chosen.and_then(|style| read_style(style, &mut object));
        object.finish();
        Some(Self {
            style: style?,
            items: items?,
            max_pages: u32::try_from(max_pages).unwrap_or(1),
        })
    }
}

fn read_style(style: Style, object: &mut ObjectReader<'_, '_>) -> Option<PageStyle> {
    let reader = object.reader();
    Some(match style {
        Style::Link => PageStyle::Link,
        Style::Cursor => {
            let cursor =
                object.required("cursor").and_then(|n| expression::parse(reader, "cursor", n, &[]));
            let parameter = object.string("parameter")?.to_owned();
            PageStyle::Cursor { cursor: cursor?, parameter }
        }
        Style::Offset => PageStyle::Offset { parameter: object.string("parameter")?.to_owned() },
        Style::Page => {
            let first = object.optional_integer("first", 0..=1).unwrap_or(1);
            PageStyle::Page {
                parameter: object.string("parameter")?.to_owned(),
                first: u32::try_from(first).unwrap_or(1),
            }
        }
    })
}
