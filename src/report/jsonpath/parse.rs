//! Reads templates.

use super::JsonPathError;

/// How deep expressions may nest.
const MAX_DEPTH: usize = 32;
/// Longest template, in bytes.
const MAX_LEN: usize = 65_536;

/// A step of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Text as it stands.
    Text(String),
    /// An expression in braces: its steps follow each other.
    Path(Vec<Node>),
    /// A field by its name.
    Field(String),
    /// All members.
    Wildcard,
    /// The value and all below it.
    Recursive,
    /// From, to and step of a slice.
    Slice(Slice),
    /// Several expressions side by side.
    Union(Vec<Vec<Node>>),
    /// The elements of a list for which a condition holds.
    Filter(Box<Filter>),
    /// A number.
    Number(serde_json::Number),
    /// `true` or `false`.
    Bool(bool),
    /// The beginning of a block that is repeated for each value.
    Range,
    /// Its end.
    End,
}

/// A slice: what is not given is open. `derived`: the end was made from the beginning, as in `[3]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) from: Option<i64>,
    pub(super) to: Option<i64>,
    pub(super) derived: bool,
    pub(super) step: Option<i64>,
}

/// A condition; without a comparison, that there is something on the left.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Filter {
    pub(super) left: Vec<Node>,
    pub(super) comparison: Option<(Comparison, Vec<Node>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// Texts and expressions of a template.
pub(super) fn template(text: &str) -> Result<Vec<Node>, JsonPathError> {
    if text.len() > MAX_LEN {
        return Err(JsonPathError::new(format!("a template may have {MAX_LEN} bytes at most")));
    }
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some(open) = rest.find('{') {
        if open > 0 {
            parts.push(Node::Text(rest[..open].to_owned()));
        }
        let mut reader = Reader { rest: &rest[open + 1..], depth: 0 };
        parts.push(Node::Path(reader.steps(true)?));
        rest = reader.rest;
    }
    if !rest.is_empty() {
        parts.push(Node::Text(rest.to_owned()));
    }
    check_blocks(&parts)?;
    Ok(parts)
}

/// Every `end` belongs to a `range`, and every `range` has one.
fn check_blocks(parts: &[Node]) -> Result<(), JsonPathError> {
    let mut open = 0usize;
    for node in parts.iter().flat_map(|part| if let Node::Path(steps) = part { &steps[..] } else { &[] }) {
        match node {
            Node::Range => {
                open += 1;
                if open > MAX_DEPTH {
                    return Err(JsonPathError::new(format!("ranges may nest {MAX_DEPTH} deep at most")));
                }
            }
            Node::End => {
                open = open.checked_sub(1).ok_or_else(|| JsonPathError::new("not in range, nothing to end"))?;
            }
            _ => {}
        }
    }
    match open {
        0 => Ok(()),
        _ => Err(JsonPathError::new("a {range} has no {end}")),
    }
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// The steps up to the closing brace, or to the end of the text.
    fn steps(&mut self, in_braces: bool) -> Result<Vec<Node>, JsonPathError> {
        let mut steps = Vec::new();
        loop {
            let Some(next) = self.rest.chars().next() else {
                return if in_braces { Err(JsonPathError::new("unclosed action")) } else { Ok(steps) };
            };
            match next {
                '}' if in_braces => {
                    self.skip(1);
                    return Ok(steps);
                }
                '\n' | '\r' => return Err(JsonPathError::new("unclosed action")),
                ' ' | '@' | '$' => self.skip(1),
                '[' => self.bracket(&mut steps)?,
                '"' | '\'' => steps.push(Node::Text(self.quoted(next)?)),
                '.' => self.dotted(&mut steps)?,
                '+' | '-' | '0'..='9' => steps.push(Node::Number(self.number()?)),
                letter if letter == '_' || letter.is_alphanumeric() => steps.push(self.word()?),
                other => {
                    let code = u32::from(other);
                    return Err(JsonPathError::new(format!(
                        "unrecognized character in action: U+{code:04X} '{other}'"
                    )));
                }
            }
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }

    fn dotted(&mut self, steps: &mut Vec<Node>) -> Result<(), JsonPathError> {
        let is_recursive = self.rest.starts_with("..");
        self.skip(if is_recursive { 2 } else { 1 });
        if is_recursive {
            if steps.last() == Some(&Node::Recursive) {
                return Err(JsonPathError::new("invalid multiple recursive descent"));
            }
            steps.push(Node::Recursive);
            let is_name = self.rest.starts_with(|next: char| next == '_' || next.is_alphanumeric());
            if !is_name {
                return Ok(());
            }
        }
        steps.push(match self.name() {
            name if name == "*" => Node::Wildcard,
            name => Node::Field(name),
        });
        Ok(())
    }

    /// A field's name: up to a terminator, unless a backslash precedes it.
    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(next) = self.rest.chars().next().filter(|next| !is_terminator(*next)) {
            self.skip(next.len_utf8());
            match next {
                '\\' => {
                    if let Some(escaped) = self.rest.chars().next() {
                        self.skip(escaped.len_utf8());
                        name.push(escaped);
                    }
                }
                plain => name.push(plain),
            }
        }
        name
    }

    fn word(&mut self) -> Result<Node, JsonPathError> {
        match &*self.name() {
            "range" => Ok(Node::Range),
            "end" => Ok(Node::End),
            "true" => Ok(Node::Bool(true)),
            "false" => Ok(Node::Bool(false)),
            other => Err(JsonPathError::new(format!("unrecognized identifier {other}"))),
        }
    }

    fn number(&mut self) -> Result<serde_json::Number, JsonPathError> {
        let sign = usize::from(self.rest.starts_with(['+', '-']));
        let digits = self.rest[sign..].find(|c: char| c != '.' && !c.is_ascii_digit());
        let text = self.take(digits.map_or(self.rest.len(), |digits| digits + sign));
        let plain = text.strip_prefix('+').unwrap_or(text);
        let whole = plain.parse::<i64>().ok().map(serde_json::Number::from);
        let number = whole.or_else(|| serde_json::Number::from_f64(plain.parse().ok()?));
        number.ok_or_else(|| JsonPathError::new(format!("cannot parse number {text}")))
    }

    fn quoted(&mut self, quote: char) -> Result<String, JsonPathError> {
        self.skip(1);
        let (mut text, mut letters) = (String::new(), self.rest.char_indices());
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\n' => break,
                '\\' => {
                    let escaped = letters.next().map(|(_, letter)| letter);
                    text.push(unescaped(escaped).ok_or_else(|| {
                        JsonPathError::new(format!("unquote string error: invalid escape in {quote}{}", self.rest))
                    })?);
                }
                end if end == quote => {
                    self.skip(at + 1);
                    return Ok(text);
                }
                plain => text.push(plain),
            }
        }
        Err(JsonPathError::new("unterminated quoted string"))
    }

    fn bracket(&mut self, steps: &mut Vec<Node>) -> Result<(), JsonPathError> {
        if self.depth >= MAX_DEPTH {
            return Err(JsonPathError::new(format!("expressions may nest {MAX_DEPTH} deep at most")));
        }
        if self.rest.starts_with("[?(") {
            self.skip(3);
            steps.push(Node::Filter(Box::new(self.filter()?)));
            return Ok(());
        }
        let end = self.rest.find([']', '\n']).filter(|end| self.rest[*end..].starts_with(']'));
        let end = end.ok_or_else(|| JsonPathError::new("unterminated array"))?;
        let inside = &self.take(end + 1)[1..end];
        if inside.contains(',') {
            let each = inside.split(',').map(|item| {
                let text = format!("[{}]", item.trim());
                Reader { rest: &text, depth: self.depth + 1 }.steps(false)
            });
            steps.push(Node::Union(each.collect::<Result<_, _>>()?));
            return Ok(());
        }
        let key = ['\'', '"'].into_iter().find_map(|quote| inside.strip_prefix(quote)?.strip_suffix(quote));
        steps.push(match key {
            Some(key) => Node::Field(key.replace('\\', "")),
            None => Node::Slice(slice(inside)?),
        });
        Ok(())
    }

    /// What stands between `[?(` and `)]`.
    fn filter(&mut self) -> Result<Filter, JsonPathError> {
        let mut open = None;
        let mut before = ' ';
        let end = self.rest.char_indices().find(|(_, letter)| {
            match (letter, open) {
                ('"' | '\'', None) => open = Some(*letter),
                (letter, Some(quote)) if *letter == quote && before != '\\' => open = None,
                (')', None) => return true,
                _ => {}
            }
            before = *letter;
            false
        });
        let (end, _) = end.ok_or_else(|| JsonPathError::new("unterminated filter"))?;
        let text = &self.take(end + 1)[..end];
        if !self.rest.starts_with(']') {
            return Err(JsonPathError::new("unclosed array expect ]"));
        }
        self.skip(1);
        let side = |text: &str| Reader { rest: text, depth: self.depth + 1 }.steps(false);
        let is_operator = |c: char| matches!(c, '<' | '>' | '=' | '!');
        let Some(at) = text.find(is_operator).filter(|at| *at > 0) else {
            return Ok(Filter { left: side(text)?, comparison: None });
        };
        let len = text[at..].find(|c| !is_operator(c)).unwrap_or(text.len() - at);
        let (operator, right) = (&text[at..at + len], &text[at + len..]);
        let comparison = match operator {
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            "==" => Comparison::Equal,
            "!=" => Comparison::NotEqual,
            other => return Err(JsonPathError::new(format!("unrecognized filter operator {other}"))),
        };
        if right.trim().is_empty() {
            return Err(JsonPathError::new(format!("nothing stands behind {operator} in the filter {text:?}")));
        }
        Ok(Filter { left: side(&text[..at])?, comparison: Some((comparison, side(right)?)) })
    }
}

fn unescaped(letter: Option<char>) -> Option<char> {
    Some(match letter? {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        plain @ ('\\' | '"' | '\'') => plain,
        _ => return None,
    })
}

fn is_terminator(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}

fn slice(text: &str) -> Result<Slice, JsonPathError> {
    let number = |text: &str| match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| JsonPathError::new(format!("invalid array index {text}"))),
    };
    let parts: Vec<&str> = if text == "*" { vec!["", ""] } else { text.split(':').collect() };
    match parts[..] {
        [index] => {
            let Some(from) = number(index)? else {
                return Err(JsonPathError::new(format!("invalid array index {text}")));
            };
            Ok(Slice { from: Some(from), to: Some(from.saturating_add(1)), derived: true, step: None })
        }
        [from, to] => Ok(Slice { from: number(from)?, to: number(to)?, derived: false, step: None }),
        [from, to, step] => Ok(Slice { from: number(from)?, to: number(to)?, derived: false, step: number(step)? }),
        _ => Err(JsonPathError::new(format!("invalid array index {text}"))),
    }
}
