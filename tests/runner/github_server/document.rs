//! GraphQL documents, as far as the server needs them: one operation, its variables, and what is to be shown of which fields.
//! Source: GraphQL's specification, "Language".

use serde_json::{Map, Value, json};

/// A query or a mutation as it was written.
#[derive(Debug)]
pub struct Operation {
    /// `query` or `mutation`.
    pub kind: String,
    pub name: String,
    /// The variables' names, and their types: `input`, `CreateCommitOnBranchInput!`.
    pub variables: Vec<(String, String)>,
    pub fields: Vec<Field>,
}

/// A field that is to be shown.
#[derive(Debug, Clone)]
pub struct Field {
    pub name: String,
    /// Under which name it is wanted.
    pub alias: String,
    pub arguments: Vec<(String, Argument)>,
    pub shown: Vec<Field>,
    /// Only of an object of this type.
    only: Option<String>,
}

/// What is given to a field.
#[derive(Debug, Clone)]
pub enum Argument {
    Variable(String),
    Written(Value),
}

impl Field {
    /// An argument's value, or nothing.
    pub fn argument(&self, name: &str, variables: &Value) -> Value {
        match self.arguments.iter().find(|(known, _)| known == name) {
            Some((_, Argument::Variable(variable))) => variables[variable].clone(),
            Some((_, Argument::Written(value))) => value.clone(),
            None => Value::Null,
        }
    }

    /// The names of the variables in it.
    fn variables(&self) -> Vec<&str> {
        let own = self.arguments.iter().filter_map(|(_, argument)| match argument {
            Argument::Variable(name) => Some(name.as_str()),
            Argument::Written(_) => None,
        });
        own.chain(self.shown.iter().flat_map(Field::variables)).collect()
    }
}

/// Reads `mutation Name($input: T!) { field(input: $input) { … } }` or a query; the fault in GraphQL's own kind of words.
pub fn parse(text: &str) -> Result<Operation, String> {
    let tokens = tokens(text)?;
    let mut read = Reader { tokens: &tokens, at: 0 };
    let kind = read.name()?;
    if !matches!(kind.as_str(), "query" | "mutation") {
        return Err(format!("Parse error on \"{kind}\""));
    }
    let name = if matches!(read.peek(), "(" | "{") { String::new() } else { read.name()? };
    let variables = read.variables()?;
    let fields = read.selection()?;
    if !read.peek().is_empty() {
        return Err(read.fault());
    }
    let used: Vec<&str> = fields.iter().flat_map(Field::variables).collect();
    if let Some(name) = used.iter().find(|name| !variables.iter().any(|(known, _)| known == *name)) {
        return Err(format!("Variable ${name} is used by anonymous {kind} but not declared"));
    }
    if let Some((name, _)) = variables.iter().find(|(name, _)| !used.contains(&name.as_str())) {
        return Err(format!("Variable ${name} is declared by anonymous {kind} but not used"));
    }
    Ok(Operation { kind, name, variables, fields })
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

    /// Goes on, if this is next.
    fn has(&mut self, token: &str) -> bool {
        let is_next = self.peek() == token;
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.has(token) { Ok(()) } else { Err(self.fault()) }
    }

    fn name(&mut self) -> Result<String, String> {
        let name = self.peek().to_owned();
        if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            return Err(self.fault());
        }
        self.at += 1;
        Ok(name)
    }

    /// `($input: T!, …)`, if there are any.
    fn variables(&mut self) -> Result<Vec<(String, String)>, String> {
        let mut all = Vec::new();
        if !self.has("(") {
            return Ok(all);
        }
        while !self.has(")") {
            self.expect("$")?;
            let name = self.name()?;
            self.expect(":")?;
            let kind = self.name()?;
            all.push((name, if self.has("!") { kind + "!" } else { kind }));
        }
        Ok(all)
    }

    /// `(name: value, …)`, if there are any.
    fn arguments(&mut self) -> Result<Vec<(String, Argument)>, String> {
        let mut all = Vec::new();
        if !self.has("(") {
            return Ok(all);
        }
        while !self.has(")") {
            let name = self.name()?;
            self.expect(":")?;
            let argument = if self.has("$") {
                Argument::Variable(self.name()?)
            } else {
                Argument::Written(self.value()?)
            };
            all.push((name, argument));
        }
        Ok(all)
    }

    /// A text, a number, or the name of an enum's value; or a list or an object of them.
    fn value(&mut self) -> Result<Value, String> {
        if self.has("[") {
            let mut all = Vec::new();
            while !self.has("]") {
                all.push(self.value()?);
            }
            return Ok(Value::Array(all));
        }
        if self.has("{") {
            let mut all = Map::new();
            while !self.has("}") {
                let name = self.name()?;
                self.expect(":")?;
                all.insert(name, self.value()?);
            }
            return Ok(Value::Object(all));
        }
        let token = self.peek().to_owned();
        let written = token.strip_prefix('"').map(Value::from);
        let written = written.or_else(|| token.parse::<u64>().ok().map(Value::from));
        match written {
            Some(value) => {
                self.at += 1;
                Ok(value)
            }
            None => self.name().map(Value::from),
        }
    }

    /// `{ … }`; what is of one type only comes with that type's name.
    fn selection(&mut self) -> Result<Vec<Field>, String> {
        self.expect("{")?;
        let mut fields = Vec::new();
        while self.peek() != "}" {
            if self.has("...") {
                self.expect("on")?;
                let only = self.name()?;
                let shown = self.selection()?;
                fields.extend(shown.into_iter().map(|field| Field { only: Some(only.clone()), ..field }));
                continue;
            }
            let first = self.name()?;
            let (alias, name) = if self.has(":") { (first, self.name()?) } else { (first.clone(), first) };
            let arguments = self.arguments()?;
            let shown = if self.peek() == "{" { self.selection()? } else { Vec::new() };
            fields.push(Field { name, alias, arguments, shown, only: None });
        }
        self.at += 1;
        if fields.is_empty() { Err("Parse error on \"}\"".into()) } else { Ok(fields) }
    }
}

/// A text keeps its first quote.
fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start_matches([' ', '\n', '\r', '\t', ',']);
    while let Some(first) = rest.chars().next() {
        let end = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if first == '"' {
            let end = rest[1..].find('"').ok_or("Parse error on \"\\\"\"")?;
            tokens.push(rest[..=end].to_owned());
            rest = rest[end + 2..].trim_start_matches([' ', '\n', '\r', '\t', ',']);
            continue;
        } else if rest.starts_with("...") {
            3
        } else if "{}()[]$:!".contains(first) {
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
        let kind = &value["__typename"];
        if field.only.as_ref().is_some_and(|only| kind != only) {
            continue;
        }
        let found = value.get(&field.name);
        let found = found.ok_or_else(|| format!("Field '{}' doesn't exist on type '{of}'", field.name))?;
        let objects =
            found.is_object() || found.as_array().is_some_and(|all| all.iter().any(Value::is_object));
        let found = match (objects, field.shown.is_empty()) {
            (true, true) => {
                return Err(format!("Field must have selections (field '{}' has none)", field.name));
            }
            (false, false) if !found.is_null() && !found.is_array() => {
                return Err(format!("Selections can't be made on scalars (field '{}')", field.name));
            }
            (true, false) => match found.as_array() {
                Some(all) => {
                    all.iter().map(|one| select(one, &field.shown, &field.name)).collect::<Result<_, _>>()?
                }
                None => select(found, &field.shown, &field.name)?,
            },
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
