//! GraphQL documents, as far as the server's two mutations need them: one operation with one variable, one field, and
//! what is to be shown of it. Source: GraphQL's specification, "Language".

use serde_json::{Map, Value, json};

/// A mutation as it was written.
#[derive(Debug)]
pub struct Mutation {
    /// The field, and under which name its result is wanted.
    pub field: String,
    pub alias: String,
    /// The variable's name, and its type.
    pub variable: String,
    pub kind: String,
    pub shown: Vec<Field>,
}

/// A field that is to be shown.
#[derive(Debug)]
pub struct Field {
    name: String,
    alias: String,
    shown: Vec<Field>,
}

/// Reads `mutation Name($input: T!) { field(input: $input) { … } }`; the fault in GraphQL's own kind of words.
pub fn parse(text: &str) -> Result<Mutation, String> {
    let tokens = tokens(text)?;
    let mut read = Reader { tokens: &tokens, at: 0 };
    read.expect("mutation")?;
    if read.peek() != "(" {
        read.name()?;
    }
    for token in ["(", "$"] {
        read.expect(token)?;
    }
    let variable = read.name()?;
    read.expect(":")?;
    let kind = read.name()?;
    for token in ["!", ")", "{"] {
        read.expect(token)?;
    }
    let (alias, field) = read.aliased()?;
    for token in ["(", "input", ":", "$", variable.as_str(), ")"] {
        read.expect(token)?;
    }
    let shown = read.selection()?;
    read.expect("}")?;
    if read.peek() == "" { Ok(Mutation { field, alias, variable, kind, shown }) } else { Err(read.fault()) }
}

struct Reader<'a> {
    tokens: &'a [String],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    fn fault(&self) -> String {
        format!("Parse error on \"{}\"", self.peek())
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.peek() != token {
            return Err(self.fault());
        }
        self.at += 1;
        Ok(())
    }

    fn name(&mut self) -> Result<String, String> {
        let name = self.peek().to_owned();
        if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            return Err(self.fault());
        }
        self.at += 1;
        Ok(name)
    }

    /// A field's own name after the one that it is wanted under.
    fn aliased(&mut self) -> Result<(String, String), String> {
        let first = self.name()?;
        if self.peek() != ":" {
            return Ok((first.clone(), first));
        }
        self.at += 1;
        Ok((first, self.name()?))
    }

    fn selection(&mut self) -> Result<Vec<Field>, String> {
        self.expect("{")?;
        let mut fields = Vec::new();
        while self.peek() != "}" {
            let (alias, name) = self.aliased()?;
            let shown = if self.peek() == "{" { self.selection()? } else { Vec::new() };
            fields.push(Field { name, alias, shown });
        }
        self.at += 1;
        if fields.is_empty() { Err("Parse error on \"}\"".into()) } else { Ok(fields) }
    }
}

fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start_matches([' ', '\n', '\r', '\t', ',']);
    while let Some(first) = rest.chars().next() {
        let end = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if "{}()$:!".contains(first) {
            1
        } else {
            return Err(format!("Expected one of NAME, got {first:?}"));
        };
        tokens.push(rest[..end].to_owned());
        rest = rest[end..].trim_start_matches([' ', '\n', '\r', '\t', ',']);
    }
    Ok(tokens)
}

/// What of `value` is to be shown: each field must be there, and objects say which of theirs.
pub fn select(value: &Value, fields: &[Field], of: &str) -> Result<Value, String> {
    let mut shown = Map::new();
    for field in fields {
        let found = value.get(&field.name);
        let found = found.ok_or_else(|| format!("Field '{}' doesn't exist on type '{of}'", field.name))?;
        let found = match (found.is_object(), field.shown.is_empty()) {
            (true, true) => {
                return Err(format!("Field must have selections (field '{}' has none)", field.name));
            }
            (false, false) if !found.is_null() => {
                return Err(format!("Selections can't be made on scalars (field '{}')", field.name));
            }
            (true, false) => select(found, &field.shown, &field.name)?,
            _ => found.clone(),
        };
        shown.insert(field.alias.clone(), found);
    }
    Ok(Value::Object(shown))
}

/// An answer whose document or variables were wrong before anything was done.
pub fn fault(message: &str) -> Value {
    json!({ "errors": [{ "message": message, "locations": [{ "line": 1, "column": 1 }] }] })
}
