//! GitHub's errors: a status, its words, and where they belong the faults of single fields.

use super::http::Answer;
use serde_json::{Value, json};

/// An answer that says no.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub status: u16,
    pub message: String,
    pub errors: Vec<Value>,
    /// Below the documentation's root, where it is not the endpoint's own page.
    pub page: Option<&'static str>,
}

impl Refusal {
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), errors: Vec::new(), page: None }
    }

    /// What is not there, or hidden.
    pub fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    /// A request that means something that cannot be.
    pub fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(422, message)
    }

    /// A field that the request lacks.
    pub fn missing(field: &str) -> Self {
        Self::unprocessable(format!("Invalid request.\n\n\"{field}\" wasn't supplied."))
    }

    /// `Validation Failed`, with what is wrong.
    pub fn invalid(errors: Vec<Value>) -> Self {
        Self { errors, ..Self::unprocessable("Validation Failed") }
    }

    /// The same with one fault in GitHub's own words.
    pub fn custom(resource: &str, field: Option<&str>, message: impl Into<String>) -> Self {
        let mut error = json!({ "resource": resource, "code": "custom", "message": message.into() });
        if let Some(field) = field {
            error["field"] = field.into();
        }
        Self::invalid(vec![error])
    }

    /// The answer; `page` is the endpoint's in the documentation.
    pub fn answer(&self, docs: &str, page: &str) -> Answer {
        let page = self.page.unwrap_or(page);
        let mut body = json!({
            "message": self.message,
            "documentation_url": format!("{docs}{page}"),
            "status": self.status.to_string(),
        });
        if !self.errors.is_empty() {
            body["errors"] = self.errors.clone().into();
        }
        Answer::json(self.status, &body)
    }
}
