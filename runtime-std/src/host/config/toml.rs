//! TOML with places.

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::node::{Entry, Kind, Node, Position, SyntaxError};

/// Reads a TOML document.
pub(crate) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let table = DeTable::parse(text).map_err(|error| SyntaxError {
        at: Position::of(text, error.span().map_or(0, |span| span.start)),
        problem: error.message().to_owned(),
    })?;
    let start = Position { line: 1, column: 1 };
    Ok(Node { at: start, kind: Kind::Table(entries(text, table.get_ref())?) })
}

fn entries(text: &str, table: &DeTable<'_>) -> Result<Vec<Entry>, SyntaxError> {
    let mut entries = Vec::with_capacity(table.len());
    for (key, value) in table {
        let at = Position::of(text, key.span().start);
        entries.push(Entry { name: key.get_ref().to_string(), at, node: node(text, value)? });
    }
    // The table is sorted by name, people read from top to bottom.
    entries.sort_by_key(|entry| entry.at);
    Ok(entries)
}

fn node(text: &str, value: &Spanned<DeValue<'_>>) -> Result<Node, SyntaxError> {
    let at = Position::of(text, value.span().start);
    let kind = match value.get_ref() {
        DeValue::String(string) => Kind::Text(string.to_string()),
        DeValue::Boolean(flag) => Kind::Bool(*flag),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(|number| u64::try_from(number).map_or(Kind::Int(number), Kind::Uint))
            .map_err(|_| SyntaxError { at, problem: format!("{} is too large", number.as_str()) })?,
        DeValue::Float(number) => number
            .as_str()
            .parse()
            .map(Kind::Float)
            .map_err(|_| SyntaxError { at, problem: format!("{} is not a number", number.as_str()) })?,
        DeValue::Datetime(date) => Kind::Text(date.to_string()),
        DeValue::Array(items) => {
            Kind::List(items.iter().map(|item| node(text, item)).collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => Kind::Table(entries(text, table)?),
    };
    Ok(Node { at, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_knows_its_place() {
        let root = parse("a = 0x10\n[t.u]\n  b = [\"x\", -1]\n c.d = 1.5\n").unwrap();
        assert_eq!(root.get("a").unwrap().kind, Kind::Uint(16));
        let u = root.get("t").unwrap().get("u").unwrap();
        assert_eq!(u.get("c").unwrap().get("d").unwrap().kind, Kind::Float(1.5));
        let places = root.positions();
        assert_eq!((places["a"], places["t.u.b"], places["t.u.b.1"]), ((1, 1), (3, 3), (3, 13)));
        assert_eq!(places["t.u.c.d"], (4, 4));
    }

    #[test]
    fn errors_have_a_place() {
        let error = parse("a = 1\nb = = 2\n").unwrap_err();
        assert_eq!(error.at.line, 2);
        assert!(!error.problem.contains('\n'), "{error:?}");
        assert_eq!(parse("a = 1\na = 2").unwrap_err().at.line, 2);
        assert_eq!(parse("a = 99999999999999999999").unwrap_err().at, Position { line: 1, column: 5 });
    }
}
