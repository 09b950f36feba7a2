//! Which file of a directory is its kustomization.

use crate::model::text;

/// The names that kustomize knows, in its order.
pub const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// A directory without one kustomization.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoKustomization {
    /// There is none.
    #[error("the directory `{}` has no kustomization (`kustomization.yaml`, `kustomization.yml` or `Kustomization`)", text::value(.0))]
    Missing(String),
    /// There are several, and kustomize takes none of them.
    #[error("the directory `{}` has several kustomizations: {}", text::value(.0), .1.join(", "))]
    Several(String, Vec<String>),
}

/// The name of the kustomization among the names in a directory. As with kustomize, there must be exactly one.
///
/// # Errors
/// There is none, or there are several.
pub fn kustomization_file<'n>(
    directory: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Result<&'static str, NoKustomization> {
    let mut there = [false; FILE_NAMES.len()];
    for name in names {
        if let Some(place) = FILE_NAMES.iter().position(|known| *known == name) {
            there[place] = true;
        }
    }
    let found: Vec<&'static str> =
        FILE_NAMES.iter().zip(there).filter_map(|(name, there)| there.then_some(*name)).collect();
    match found.as_slice() {
        [] => Err(NoKustomization::Missing(directory.to_owned())),
        [one] => Ok(one),
        several => {
            let names = several.iter().map(|name| format!("`{name}`")).collect();
            Err(NoKustomization::Several(directory.to_owned(), names))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_the_three_names_as_kustomize_has_it() {
        let file = |names: &[&str]| kustomization_file("apps/shop", names.iter().copied());
        assert_eq!(file(&["deployment.yaml", "kustomization.yaml"]), Ok("kustomization.yaml"));
        assert_eq!(file(&["kustomization.yml"]), Ok("kustomization.yml"));
        assert_eq!(file(&["Kustomization", "README.md"]), Ok("Kustomization"));
        let none = file(&["kustomization", "Kustomization.yaml", "kustomize.yaml"]).unwrap_err();
        assert!(none.to_string().starts_with("the directory `apps/shop` has no kustomization"), "{none}");
        let two = file(&["Kustomization", "kustomization.yml"]).unwrap_err();
        let expected =
            "the directory `apps/shop` has several kustomizations: `kustomization.yml`, `Kustomization`";
        assert_eq!(two.to_string(), expected);
    }
}
