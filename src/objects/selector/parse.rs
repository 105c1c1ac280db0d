//! The syntax of `kubectl -l`: `labels.Parse`, with its messages.

use super::SelectorError;
use super::requirement::{Operator, Requirement};
use crate::objects::names::{label_key, quoted};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Identifier,
    In,
    NotIn,
    Equals,
    DoubleEquals,
    NotEquals,
    Greater,
    Less,
    Not,
    Comma,
    Open,
    Close,
    End,
}

/// Reads the requirements in the order they are written.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    let mut parser = Parser { rest: text, token: Token::End, literal: "" };
    parser.advance();
    parser.requirements().map_err(SelectorError)
}

/// A lexer with one token of lookahead.
struct Parser<'a> {
    rest: &'a str,
    token: Token,
    literal: &'a str,
}

impl<'a> Parser<'a> {
    fn requirements(&mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        loop {
            match self.as_value() {
                Token::Identifier | Token::Not => {}
                Token::End => return Ok(requirements),
                _ => return Err(format!("found '{}', expected: !, identifier, or 'end of string'", self.literal)),
            }
            let requirement = self.requirement().map_err(|error| format!("unable to parse requirement: {error}"))?;
            requirements.push(requirement);
            match self.token {
                Token::End => return Ok(requirements),
                Token::Comma => self.advance(),
                _ => return Err(format!("found '{}', expected: ',' or 'end of string'", self.literal)),
            }
            if !matches!(self.as_value(), Token::Identifier | Token::Not) {
                return Err(format!("found '{}', expected: identifier after ','", self.literal));
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let negated = self.token == Token::Not;
        if negated {
            self.advance();
        }
        if self.as_value() != Token::Identifier {
            return Err(format!("found '{}', expected: identifier", self.literal));
        }
        let key = self.take();
        let complaints = label_key(key);
        if !complaints.is_empty() {
            return Err(format!("<nil>: Invalid value: {}: {}", quoted(key), complaints.join("; ")));
        }
        let (operator, values) = if negated {
            (Operator::DoesNotExist, Vec::new())
        } else if matches!(self.token, Token::End | Token::Comma) {
            (Operator::Exists, Vec::new())
        } else {
            self.operator_and_values()?
        };
        Requirement::new(key, operator, values).map_err(|error| error.0)
    }

    fn operator_and_values(&mut self) -> Result<(Operator, Vec<&'a str>), String> {
        let operator = match self.token {
            Token::In => Operator::In,
            Token::NotIn => Operator::NotIn,
            Token::Equals => Operator::Equals,
            Token::DoubleEquals => Operator::DoubleEquals,
            Token::NotEquals => Operator::NotEquals,
            Token::Greater => Operator::GreaterThan,
            Token::Less => Operator::LessThan,
            _ => return Err(format!("found '{}', expected: in, notin, =, ==, !=, gt, lt", self.literal)),
        };
        self.advance();
        let mut values: Vec<&str> = match operator {
            Operator::In | Operator::NotIn => self.value_list()?,
            _ => vec![self.exact_value()?],
        };
        values.sort_unstable();
        values.dedup();
        Ok((operator, values))
    }

    /// `(a,b)`; an empty place between commas or parentheses is the empty value.
    fn value_list(&mut self) -> Result<Vec<&'a str>, String> {
        if self.token != Token::Open {
            return Err(format!("found '{}' expected: '('", self.literal));
        }
        self.advance();
        match self.as_value() {
            Token::Identifier | Token::Comma => {}
            Token::Close => {
                self.advance();
                return Ok(vec![""]);
            }
            _ => return Err(format!("found '{}', expected: ',', ')' or identifier", self.literal)),
        }
        let mut values = Vec::new();
        loop {
            match self.as_value() {
                Token::Identifier => {
                    values.push(self.take());
                    match self.token {
                        Token::Comma => {}
                        Token::Close => break,
                        _ => return Err(format!("found '{}', expected: ',' or ')'", self.literal)),
                    }
                }
                Token::Comma => {
                    self.advance();
                    if values.is_empty() || matches!(self.token, Token::Close | Token::Comma) {
                        values.push("");
                    }
                    if self.token == Token::Close {
                        break;
                    }
                }
                _ => return Err(format!("found '{}', expected: ',', or identifier", self.literal)),
            }
        }
        self.advance();
        Ok(values)
    }

    fn exact_value(&mut self) -> Result<&'a str, String> {
        match self.as_value() {
            Token::End | Token::Comma => Ok(""),
            Token::Identifier => Ok(self.take()),
            _ => Err(format!("found '{}', expected: identifier", self.literal)),
        }
    }

    /// The current token where a key or a value may stand: there the keywords are identifiers.
    fn as_value(&self) -> Token {
        match self.token {
            Token::In | Token::NotIn => Token::Identifier,
            token => token,
        }
    }

    fn take(&mut self) -> &'a str {
        let literal = self.literal;
        self.advance();
        literal
    }

    fn advance(&mut self) {
        let rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let (token, length) = lex(rest);
        self.token = token;
        self.literal = &rest[..length];
        self.rest = &rest[length..];
        if length > 0 {
            // Upstream's lexer looks one byte past a token and gives it back, unless it is a NUL.
            self.rest = self.rest.strip_prefix('\0').unwrap_or(self.rest);
        }
    }
}

/// The token at the start of a text and its length. Upstream takes a NUL for the end of the text.
fn lex(text: &str) -> (Token, usize) {
    let mut bytes = text.bytes();
    match (bytes.next(), bytes.next()) {
        (None | Some(0), _) => (Token::End, 0),
        (Some(b'='), Some(b'=')) => (Token::DoubleEquals, 2),
        (Some(b'!'), Some(b'=')) => (Token::NotEquals, 2),
        (Some(b'='), _) => (Token::Equals, 1),
        (Some(b'!'), _) => (Token::Not, 1),
        (Some(b'('), _) => (Token::Open, 1),
        (Some(b')'), _) => (Token::Close, 1),
        (Some(b','), _) => (Token::Comma, 1),
        (Some(b'>'), _) => (Token::Greater, 1),
        (Some(b'<'), _) => (Token::Less, 1),
        _ => {
            let ends = [' ', '\t', '\r', '\n', '\0', '=', '!', '(', ')', ',', '>', '<'];
            let length = text.find(ends).unwrap_or(text.len());
            let token = match &text[..length] {
                "in" => Token::In,
                "notin" => Token::NotIn,
                _ => Token::Identifier,
            };
            (token, length)
        }
    }
}
