//! JSON with places, and optionally with the comments and trailing commas that operators like.

use std::cell::Cell;

use super::node::{Entry, Kind, Node, Position, SyntaxError};

/// How strict a reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// JSON as it is.
    Strict,
    /// With `//`, `#` and `/* */` comments, and a comma before a closing bracket.
    Relaxed,
}

/// Lists and tables in each other: deeper is a mistake or an attack.
const MAX_DEPTH: u32 = 64;

/// Reads one JSON value that fills the text.
pub(crate) fn parse(text: &str, dialect: Dialect) -> Result<Node, SyntaxError> {
    let start = (0, Position { line: 1, column: 1 });
    let mut parser = Parser { text, at: 0, dialect, depth: 0, mark: Cell::new(start) };
    // Editors of another system put a byte order mark there.
    parser.skip("\u{feff}");
    let node = parser.value()?;
    parser.blank()?;
    match parser.peek() {
        None => Ok(node),
        Some(_) => Err(parser.error("nothing may follow the value")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    dialect: Dialect,
    depth: u32,
    /// The last place that was asked for: the next one is counted from there.
    mark: Cell<(usize, Position)>,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|letter| !wanted(letter)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn position(&self) -> Position {
        let (offset, mut position) = self.mark.get();
        let Some(passed) = self.text.get(offset..self.at) else {
            return Position::of(self.text, self.at);
        };
        for letter in passed.chars() {
            position = match letter {
                '\n' => Position { line: position.line.saturating_add(1), column: 1 },
                _ => Position { column: position.column.saturating_add(1), ..position },
            };
        }
        self.mark.set((self.at, position));
        position
    }

    fn error(&self, problem: impl Into<String>) -> SyntaxError {
        SyntaxError { at: self.position(), problem: problem.into() }
    }

    /// Skips white space and comments.
    fn blank(&mut self) -> Result<(), SyntaxError> {
        loop {
            self.skip_while(|letter| matches!(letter, ' ' | '\t' | '\r' | '\n'));
            let comment = ["//", "/*", "#"].into_iter().find(|start| self.rest().starts_with(start));
            match comment {
                None => return Ok(()),
                Some(_) if self.dialect == Dialect::Strict => {
                    return Err(self.error("comments are not allowed here"));
                }
                Some("/*") => {
                    let Some(end) = self.rest().find("*/") else {
                        return Err(self.error("this comment has no end"));
                    };
                    self.at += end + 2;
                }
                Some(_) => {
                    self.skip_while(|letter| letter != '\n');
                }
            }
        }
    }

    fn value(&mut self) -> Result<Node, SyntaxError> {
        self.blank()?;
        let at = self.position();
        let kind = match self.peek() {
            Some('{') => self.nested(Self::table)?,
            Some('[') => self.nested(Self::list)?,
            Some('"') => Kind::Text(self.string()?),
            Some('-' | '0'..='9') => self.number()?,
            Some(_) if self.skip("true") => Kind::Bool(true),
            Some(_) if self.skip("false") => Kind::Bool(false),
            Some(_) if self.skip("null") => Kind::Null,
            Some(other) => return Err(self.error(format!("a value is expected here, not {other:?}"))),
            None => return Err(self.error("a value is missing at the end")),
        };
        Ok(Node { at, kind })
    }

    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Kind, SyntaxError>,
    ) -> Result<Kind, SyntaxError> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(format!("more than {MAX_DEPTH} brackets in each other")));
        }
        self.depth += 1;
        let kind = read(self);
        self.depth -= 1;
        kind
    }

    fn table(&mut self) -> Result<Kind, SyntaxError> {
        let mut entries: Vec<Entry> = Vec::new();
        self.items('{', '}', |parser| {
            let at = parser.position();
            if parser.peek() != Some('"') {
                return Err(parser.error("a key in double quotes is expected here"));
            }
            let name = parser.string()?;
            if entries.iter().any(|entry| entry.name == name) {
                return Err(SyntaxError { at, problem: format!("key {name:?} stands here a second time") });
            }
            parser.blank()?;
            if !parser.skip(":") {
                return Err(parser.error(format!("\":\" is expected after key {name:?}")));
            }
            entries.push(Entry { name, at, node: parser.value()? });
            Ok(())
        })?;
        Ok(Kind::Table(entries))
    }

    fn list(&mut self) -> Result<Kind, SyntaxError> {
        let mut nodes = Vec::new();
        self.items('[', ']', |parser| {
            nodes.push(parser.value()?);
            Ok(())
        })?;
        Ok(Kind::List(nodes))
    }

    /// What stands between brackets, separated by commas.
    fn items(
        &mut self,
        open: char,
        close: char,
        mut item: impl FnMut(&mut Self) -> Result<(), SyntaxError>,
    ) -> Result<(), SyntaxError> {
        self.at += open.len_utf8();
        self.blank()?;
        let mut after_comma = false;
        loop {
            if self.peek() == Some(close) {
                if after_comma && self.dialect == Dialect::Strict {
                    return Err(self.error(format!("no comma is allowed before {close:?}")));
                }
                self.at += close.len_utf8();
                return Ok(());
            }
            item(self)?;
            self.blank()?;
            after_comma = self.skip(",");
            self.blank()?;
            if !after_comma && self.peek() != Some(close) {
                return Err(self.error(format!("\",\" or {close:?} is expected here")));
            }
        }
    }

    fn number(&mut self) -> Result<Kind, SyntaxError> {
        let start = self.position();
        let text = self.skip_while(|letter| matches!(letter, '-' | '+' | '.' | 'e' | 'E' | '0'..='9'));
        let digits = text.strip_prefix('-').unwrap_or(text);
        let leading_zero = digits.len() > 1
            && digits.starts_with('0')
            && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
        let kind = if whole && digits.len() == text.len() {
            text.parse().ok().map(Kind::Uint)
        } else if whole {
            text.parse().ok().map(Kind::Int)
        } else {
            let shaped = digits.starts_with(|letter: char| letter.is_ascii_digit()) && !text.ends_with('.');
            text.parse().ok().filter(|number: &f64| shaped && number.is_finite()).map(Kind::Float)
        };
        kind.filter(|_| !leading_zero && !digits.is_empty())
            .ok_or_else(|| SyntaxError { at: start, problem: format!("{text} is not a number that fits") })
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        let open = self.position();
        self.at += 1;
        let mut text = String::new();
        loop {
            text.push_str(self.skip_while(|letter| !matches!(letter, '"' | '\\' | '\0'..='\u{1f}')));
            match self.peek() {
                Some('"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some('\\') => text.push(self.escape()?),
                Some('\n') | None => {
                    return Err(SyntaxError { at: open, problem: "this string has no closing quote".into() });
                }
                Some(control) => {
                    return Err(self.error(format!("{control:?} must be escaped in a string")));
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        let start = self.at;
        let letter = self.rest().chars().nth(1);
        self.at += 1 + letter.map_or(0, char::len_utf8);
        let escaped = match letter {
            Some(plain @ ('"' | '\\' | '/')) => Some(plain),
            Some('b') => Some('\u{8}'),
            Some('f') => Some('\u{c}'),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('u') => self.unicode(),
            _ => None,
        };
        escaped.ok_or_else(|| {
            self.at = start;
            self.error("this escape is not known; a backslash itself is written twice")
        })
    }

    fn unicode(&mut self) -> Option<char> {
        let first = self.hex()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        let second = self.skip("\\u").then(|| self.hex()).flatten()?;
        let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + low)
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        self.at += 4;
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict(text: &str) -> Result<Node, SyntaxError> {
        parse(text, Dialect::Strict)
    }

    fn problem(text: &str) -> (u32, u32, String) {
        let error = strict(text).unwrap_err();
        (error.at.line, error.at.column, error.problem)
    }

    /// The parser agrees with the common one on what these texts mean.
    #[test]
    fn reads_what_json_is() {
        for text in [
            r#"{"a": [1, -2, 0.5, 1e3, -0, 18446744073709551615, -9223372036854775808], "": {}}"#,
            r#"["\" \\ \/ \b\f\n\r\t \u00e9 \ud83d\ude00 ü", true, false, null, [], 0]"#,
            " 7 ",
            "\"x\"",
        ] {
            let ours = strict(text).unwrap();
            let theirs: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(to_serde(&ours), theirs, "{text}");
        }
    }

    #[test]
    fn refuses_what_json_is_not() {
        for text in [
            "",
            " ",
            "{",
            "[",
            "[1",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{a:1}",
            "[1 2]",
            "[,]",
            "[1,]",
            "{\"a\":1,}",
            "01",
            "-",
            "1.",
            ".5",
            "+1",
            "1e",
            "--1",
            "1e999",
            "18446744073709551616",
            "tru",
            "nul",
            "'a'",
            "\"a",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\\u+123\"",
            "\"a\nb\"",
            "\"\t\"",
            "1 1",
            "// c\n1",
            "# c\n1",
            "/* c */ 1",
            "{\"a\":1,\"a\":2}",
        ] {
            assert!(strict(text).is_err(), "{text:?} was accepted");
        }
        assert!(strict(&"[".repeat(100_000)).unwrap_err().problem.contains("64 brackets"));
    }

    #[test]
    fn says_where_it_went_wrong() {
        assert_eq!(problem("{\n  \"a\": 1\n  \"b\": 2\n}"), (3, 3, "\",\" or '}' is expected here".into()));
        assert_eq!(problem("{\"ü\": tru}"), (1, 7, "a value is expected here, not 't'".into()));
        assert_eq!(problem("[1, 2\n"), (2, 1, "\",\" or ']' is expected here".into()));
        assert_eq!(problem("{\"k\": \"v\n\"}").0, 1);
    }

    #[test]
    fn comments_and_commas_are_read_where_allowed() {
        let text = "// one\n{ /* two\n lines */ \"a\": [1, 2,], # three\n \"b\": \"//\", }";
        let node = parse(text, Dialect::Relaxed).unwrap();
        assert_eq!(to_serde(&node), serde_json::json!({"a": [1, 2], "b": "//"}));
        assert_eq!(node.positions()["b"], (4, 2));
        assert_eq!(node.positions()["a.1"], (3, 20));
        assert!(parse("[,]", Dialect::Relaxed).is_err());
        assert!(parse("[1,,]", Dialect::Relaxed).is_err());
        assert!(parse("/* ", Dialect::Relaxed).is_err());
    }

    fn to_serde(node: &Node) -> serde_json::Value {
        match &node.kind {
            Kind::Null => serde_json::Value::Null,
            Kind::Bool(flag) => (*flag).into(),
            Kind::Uint(number) => (*number).into(),
            Kind::Int(0) => (-0.0).into(),
            Kind::Int(number) => (*number).into(),
            Kind::Float(number) => (*number).into(),
            Kind::Text(text) => text.as_str().into(),
            Kind::List(nodes) => nodes.iter().map(to_serde).collect(),
            Kind::Table(entries) => {
                entries.iter().map(|entry| (entry.name.clone(), to_serde(&entry.node))).collect()
            }
        }
    }
}
