//! Numbers of roles, found by name.

use super::upwards;

/// Sorted by name.
#[derive(Debug, Default)]
pub(crate) struct Index<'a>(Vec<(&'a str, usize)>);

impl<'a> Index<'a> {
    /// Room for so many.
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Adds a role that comes after all that are there.
    pub(crate) fn push(&mut self, role: &'a str, number: usize) {
        self.0.push((role, number));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of this role.
    pub(crate) fn get(&self, role: &str) -> Option<usize> {
        let at = self.0.binary_search_by_key(&role, |it| it.0).ok()?;
        self.0.get(at).map(|it| it.1)
    }

    /// The number of the closest role above this one.
    pub(crate) fn above(&self, role: &str) -> Option<usize> {
        upwards(role).skip(1).find_map(|above| self.get(above))
    }

    /// The numbers of all roles below this one.
    pub(crate) fn below<'b>(&'b self, role: &'b str) -> impl Iterator<Item = usize> + 'b {
        let is_below = move |it: &str| it.strip_prefix(role).is_some_and(|it| it.starts_with('/'));
        let after = self.0.get(self.0.partition_point(|it| it.0 <= role)..).unwrap_or_default();
        // between a role and those below it others may stand, such as `a-b` between `a` and `a/b`
        let near = after.iter().take_while(move |it| it.0.starts_with(role));
        near.filter(move |it| is_below(it.0)).map(|it| it.1)
    }

    /// The numbers of roles that are asked for in the order of their names: a step each, not a search.
    pub(crate) fn in_step(&self) -> InStep<'_> {
        InStep(&self.0)
    }
}

/// What has not been passed yet.
pub(crate) struct InStep<'i>(&'i [(&'i str, usize)]);

impl InStep<'_> {
    /// The number of this role, which comes after those that were asked for before.
    pub(crate) fn get(&mut self, role: &str) -> Option<usize> {
        while let [first, rest @ ..] = self.0
            && first.0 < role
        {
            self.0 = rest;
        }
        self.0.first().filter(|it| it.0 == role).map(|it| it.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [&str; 6] = ["a", "a-b", "a/b", "a/b/c", "ab/c", "b"];

    fn index() -> Index<'static> {
        let mut index = Index::with_capacity(ROLES.len());
        ROLES.into_iter().enumerate().for_each(|(number, role)| index.push(role, number));
        index
    }

    fn check(role: &str, own: Option<usize>, above: Option<usize>, below: &[usize]) {
        let index = index();
        assert_eq!((index.get(role), index.above(role)), (own, above), "{role}");
        assert_eq!(index.below(role).collect::<Vec<_>>(), below, "{role}");
        assert_eq!(index.in_step().get(role), own, "{role}");
    }

    #[test]
    fn roles_are_found_and_those_above_and_below() {
        check("a", Some(0), None, &[2, 3]);
        check("a-b", Some(1), None, &[]);
        check("a/b", Some(2), Some(0), &[3]);
        check("a/b/c", Some(3), Some(2), &[]);
        check("a/b/d/e", None, Some(2), &[]);
        check("ab", None, None, &[4]);
        check("c", None, None, &[]);
    }

    #[test]
    fn many_are_found_in_one_go() {
        let (index, asked) = (index(), ["", "a", "a/a", "a/b", "aa", "b", "c"]);
        let mut find = index.in_step();
        let found = asked.map(|role| find.get(role));
        assert_eq!(found, [None, Some(0), None, Some(2), None, Some(5), None]);
    }
}
