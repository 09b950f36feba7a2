//! Tags that go where another tag goes: those of single platforms, each on its part of the image that the other one is on.
//!
//! A tag of the image may be moved by another run at any time, before or after the tags that go with it. So each run puts
//! them on the parts of what their tag is on *now*, and reads that tag again after it: whoever puts last has then either
//! seen that nothing has moved, or puts again. When all runs have ended, the parts are those of one image, whatever the order.
//! A run that was killed in between is repaired by the next one that puts the tag.

use std::collections::BTreeMap;
use std::mem;

use super::steps::Putting;
use crate::model::{Digest, Platform, Tag};
use crate::plan::platform_tags::PlatformTag;
use crate::plan::publish::HeldBack;

/// How often tags are put again, as others have moved the one that they go with: then somebody else is about to.
const ROUNDS: usize = 10;

/// The images of single platforms that an image is made of.
pub type Parts = Vec<(Platform, Digest)>;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FollowStep {
    /// Find out what these tags are on now.
    Read(Vec<Tag>),
    /// Find out the parts of an image.
    Parts(Digest),
    /// Put each tag on its image. They may be put at the same time.
    Put(Vec<(Tag, Digest)>),
    /// Nothing more.
    Done,
}

/// What came of a step; in its order.
#[derive(Clone, Debug)]
pub enum FollowReply {
    /// What each of the tags is on, if it is there.
    Read(Vec<Option<Digest>>),
    /// The parts of the image.
    Parts(Parts),
    /// What became of each tag.
    Put(Vec<Putting>),
}

/// The steps of one run's tags that go with others.
#[derive(Clone, Debug)]
pub struct Following {
    tags: Vec<PlatformTag>,
    /// What was put, by tag; or that it cannot be.
    placed: BTreeMap<Tag, Result<Digest, String>>,
    parts: BTreeMap<Digest, Parts>,
    phase: Phase,
    rounds: usize,
}

#[derive(Clone, Debug)]
enum Phase {
    Reading,
    /// The parts of the first one, then of the others that are not known.
    Resolving(Digest, BTreeMap<Tag, Digest>),
    Putting(Vec<(Tag, Digest)>),
    Done,
}

impl Following {
    /// Of tags whose own tag this run has put.
    pub fn new(tags: Vec<PlatformTag>) -> Self {
        let phase = if tags.is_empty() { Phase::Done } else { Phase::Reading };
        Self { tags, placed: BTreeMap::new(), parts: BTreeMap::new(), phase, rounds: 0 }
    }

    /// What to do now.
    pub fn next(&self) -> FollowStep {
        match &self.phase {
            Phase::Reading => FollowStep::Read(self.bases()),
            Phase::Resolving(digest, _) => FollowStep::Parts(digest.clone()),
            Phase::Putting(puts) => FollowStep::Put(puts.clone()),
            Phase::Done => FollowStep::Done,
        }
    }

    /// Tells what came of [`Following::next`]. A reply to another question ends the steps.
    pub fn answer(&mut self, reply: FollowReply) {
        match (mem::replace(&mut self.phase, Phase::Done), reply) {
            (Phase::Reading, FollowReply::Read(found)) => {
                let on =
                    self.bases().into_iter().zip(found).filter_map(|(tag, on)| Some((tag, on?))).collect();
                self.follow(on);
            }
            (Phase::Resolving(digest, on), FollowReply::Parts(parts)) => {
                self.parts.insert(digest, parts);
                self.follow(on);
            }
            (Phase::Putting(puts), FollowReply::Put(results)) => {
                for ((tag, digest), result) in puts.into_iter().zip(results) {
                    let result = match result {
                        Putting::Done => Ok(digest),
                        Putting::Immutable(why) => Err(format!("the registry lets nobody move it ({why})")),
                    };
                    self.placed.insert(tag, result);
                }
                self.rounds += 1;
                self.phase = if self.rounds < ROUNDS { Phase::Reading } else { Phase::Done };
            }
            _ => {}
        }
    }

    /// The tags that others go with, each once.
    fn bases(&self) -> Vec<Tag> {
        let mut bases: Vec<Tag> = Vec::new();
        for tag in &self.tags {
            if !bases.contains(&tag.of) {
                bases.push(tag.of.clone());
            }
        }
        bases
    }

    /// Puts what is not where its tag is now, as soon as the parts of all are known.
    fn follow(&mut self, on: BTreeMap<Tag, Digest>) {
        if let Some(unknown) = on.values().find(|digest| !self.parts.contains_key(digest)).cloned() {
            self.phase = Phase::Resolving(unknown, on);
            return;
        }
        let mut puts = Vec::new();
        for tag in &self.tags {
            let Some(image) = on.get(&tag.of) else {
                self.placed.insert(tag.tag.clone(), Err(format!("`{}` is not there any more", tag.of)));
                continue;
            };
            let parts = self.parts.get(image).into_iter().flatten();
            let Some((_, part)) = parts.clone().find(|(platform, _)| *platform == tag.platform) else {
                let why = format!("`{}` is on {image}, which has no image for `{}`", tag.of, tag.platform);
                self.placed.insert(tag.tag.clone(), Err(why));
                continue;
            };
            match self.placed.get(&tag.tag) {
                Some(Ok(there)) if there == part => {}
                // What nobody may move is not tried twice.
                Some(Err(_)) if self.rounds > 0 => {}
                _ => puts.push((tag.tag.clone(), part.clone())),
            }
        }
        self.phase = if puts.is_empty() { Phase::Done } else { Phase::Putting(puts) };
    }

    /// The tags that are on parts of this image, and those that are not, with the reason.
    pub fn outcome(&self, image: &Digest) -> (Vec<PlatformTag>, Vec<HeldBack>) {
        let (mut placed, mut held_back) = (Vec::new(), Vec::new());
        let own = |tag: &PlatformTag, digest: &Digest| {
            let parts = self.parts.get(image).into_iter().flatten();
            parts.clone().any(|(platform, part)| *platform == tag.platform && part == digest)
        };
        for tag in &self.tags {
            let why = match self.placed.get(&tag.tag) {
                Some(Ok(digest)) if own(tag, digest) => {
                    placed.push(tag.clone());
                    continue;
                }
                Some(Ok(_)) => format!("it goes with `{}`, which another run has moved", tag.of),
                Some(Err(why)) => why.clone(),
                None => format!("it goes with `{}`", tag.of),
            };
            held_back.push(HeldBack { tag: tag.tag.clone(), reason: why });
        }
        (placed, held_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A registry: what each tag is on. The image `x` has the parts `x/amd64` and `x/arm64`.
    type World = BTreeMap<String, String>;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    fn platform(arch: &str) -> Platform {
        Platform::parse(&format!("linux/{arch}")).unwrap()
    }

    fn tags(bases: &[&str]) -> Vec<PlatformTag> {
        let of = |base: &&str| {
            ["amd64", "arm64"].map(|arch| PlatformTag {
                tag: Tag::parse(&format!("{base}-{arch}")).unwrap(),
                of: Tag::parse(base).unwrap(),
                platform: platform(arch),
                repository: None,
            })
        };
        bases.iter().flat_map(of).collect()
    }

    /// A run that moves a tag to its image and has others follow it; one action is one request.
    #[derive(Clone)]
    struct Run {
        image: &'static str,
        moved: bool,
        following: Following,
        read: Vec<Option<Digest>>,
        put: Vec<Putting>,
    }

    impl Run {
        fn of(image: &'static str) -> Self {
            let following = Following::new(tags(&["latest"]));
            Self { image, moved: false, following, read: Vec::new(), put: Vec::new() }
        }

        fn ended(&self) -> bool {
            self.moved && self.following.next() == FollowStep::Done
        }

        fn act(&mut self, world: &mut World) {
            if !self.moved {
                world.insert("latest".into(), self.image.into());
                self.moved = true;
                return;
            }
            match self.following.next() {
                FollowStep::Read(bases) => {
                    self.read.push(world.get(bases[self.read.len()].as_str()).map(|name| digest(name)));
                    if self.read.len() == bases.len() {
                        self.following.answer(FollowReply::Read(mem::take(&mut self.read)));
                    }
                }
                FollowStep::Parts(image) => self.following.answer(FollowReply::Parts(parts(&image))),
                FollowStep::Put(puts) => {
                    let (tag, part) = &puts[self.put.len()];
                    world.insert(tag.to_string(), name_of(part));
                    self.put.push(Putting::Done);
                    if self.put.len() == puts.len() {
                        self.following.answer(FollowReply::Put(mem::take(&mut self.put)));
                    }
                }
                FollowStep::Done => {}
            }
        }
    }

    const IMAGES: [&str; 3] = ["one", "two", "three"];

    fn parts(image: &Digest) -> Parts {
        let name = IMAGES.into_iter().find(|name| digest(name) == *image).unwrap();
        ["amd64", "arm64"].map(|arch| (platform(arch), digest(&format!("{name}/{arch}")))).to_vec()
    }

    fn name_of(part: &Digest) -> String {
        let all = IMAGES.iter().flat_map(|name| ["amd64", "arm64"].map(|arch| format!("{name}/{arch}")));
        all.into_iter().find(|name| digest(name) == *part).unwrap()
    }

    fn interleave(world: &World, runs: &[Run]) -> usize {
        let mut count = 0;
        for who in (0..runs.len()).filter(|who| !runs[*who].ended()) {
            let (mut world, mut runs) = (world.clone(), runs.to_vec());
            runs[who].act(&mut world);
            count += interleave(&world, &runs);
        }
        if count == 0 {
            let image = &world["latest"];
            for arch in ["amd64", "arm64"] {
                assert_eq!(world[&format!("latest-{arch}")], format!("{image}/{arch}"), "{world:?}");
            }
            for run in runs.iter().filter(|run| run.image == image) {
                let (placed, held) = run.following.outcome(&digest(run.image));
                assert_eq!((placed.len(), held), (2, vec![]));
            }
            return 1;
        }
        count
    }

    #[test]
    fn parts_are_of_one_image_in_every_interleaving() {
        let count = interleave(&World::new(), &[Run::of("one"), Run::of("two")]);
        println!("two runs: {count} interleavings");
        assert!(count > 1000, "{count}");
    }

    /// Carries the steps out; tags of these names are not to be moved.
    fn carried_out(mut following: Following, world: &mut World, immutable: &str) -> Following {
        loop {
            let reply = match following.next() {
                FollowStep::Read(bases) => FollowReply::Read(
                    bases.iter().map(|base| world.get(base.as_str()).map(|name| digest(name))).collect(),
                ),
                FollowStep::Parts(image) if image == digest("other") => {
                    FollowReply::Parts(vec![(platform("amd64"), digest("one/amd64"))])
                }
                FollowStep::Parts(image) => FollowReply::Parts(parts(&image)),
                FollowStep::Put(puts) => {
                    let put = |(tag, part): &(Tag, Digest)| {
                        if tag.as_str() == immutable {
                            return Putting::Immutable("no".into());
                        }
                        world.insert(tag.to_string(), name_of(part));
                        Putting::Done
                    };
                    FollowReply::Put(puts.iter().map(put).collect())
                }
                FollowStep::Done => return following,
            };
            following.answer(reply);
        }
    }

    #[test]
    fn what_is_not_put_is_told_with_the_reason() {
        for (on, immutable, held) in [
            ("one", "", &[][..]),
            ("one", "latest-arm64", &[("latest-arm64", "the registry lets nobody move it (no)")]),
            (
                "two",
                "",
                &[
                    ("latest-amd64", "it goes with `latest`, which another run has moved"),
                    ("latest-arm64", "it goes with `latest`, which another run has moved"),
                ],
            ),
            ("", "", &[("latest-amd64", "is not there any more"), ("latest-arm64", "is not there any more")]),
            (
                "other",
                "",
                &[
                    ("latest-amd64", "which another run has moved"),
                    ("latest-arm64", "which has no image for `linux/arm64`"),
                ],
            ),
        ] {
            let mut world: World =
                (!on.is_empty()).then(|| ("latest".into(), on.into())).into_iter().collect();
            let following = carried_out(Following::new(tags(&["latest"])), &mut world, immutable);
            let (placed, found) = following.outcome(&digest("one"));
            assert_eq!(placed.len(), 2 - held.len(), "{on}");
            assert_eq!(found.len(), held.len(), "{on}: {found:?}");
            for (found, (tag, why)) in found.iter().zip(held) {
                assert_eq!(found.tag.as_str(), *tag);
                assert!(found.reason.contains(why), "{found:?}");
            }
        }
        assert_eq!(Following::new(Vec::new()).next(), FollowStep::Done);
    }
}
