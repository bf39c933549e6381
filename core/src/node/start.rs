//! Starting an app: manifest, profile, code, engine.
//!
//! Nothing is kept between two starts: each reads the documents and deploys the code anew.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;

use super::apps::{App, EngineSide};
use super::conns::{Answer, Ticket};
use super::services::store_failure;
use super::stores::Storing;
use super::{Node, NodeNotice};
use crate::config::{AppName, Checked, Complaint, Manifest, Profile};
use crate::engine::EngineConfig;
use crate::machine::{
    Document, EngineId, LaunchError, LaunchId, LaunchRequest, Launched, Output, Severity, StoreError,
    StoreRequest,
};
use crate::wire::codes::category;
use crate::wire::{ErrorCode, Failure, Value, codes};

/// An app whose documents and code are being fetched. One thing is under way at a time.
#[derive(Clone, Debug)]
pub(super) struct Preparation {
    /// The profile asked for.
    profile: String,
    /// Who asked for the start, if it was a client.
    ticket: Option<Ticket>,
    /// Who asked for its end meanwhile. It ends as soon as what is under way has come back.
    pub(super) pausers: Vec<Ticket>,
    stage: Stage,
}

/// What is under way.
#[derive(Clone, Debug)]
enum Stage {
    /// Reading the manifest of a stored app.
    Manifest,
    /// Reading the profile of a stored app.
    Profile(Box<Manifest>),
    /// Reading the archive of a stored app.
    Archive(Box<Manifest>, Box<Profile>),
    /// Unpacking it.
    Unpack(Box<Manifest>, Box<Profile>),
    /// Looking into the directory of a local app.
    Look,
    /// Reading the profile of a local app that has none in its directory.
    LocalProfile(Box<Manifest>, String),
}

/// What came back.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Read(Result<Bytes, StoreError>),
    Launched(Result<Launched, LaunchError>),
}

/// What comes next.
enum Next {
    Wait(Stage),
    Start { manifest: Box<Manifest>, profile: Box<Profile>, directory: String },
}

/// The profile of those who name none.
const DEFAULT_PROFILE: &str = "default";

impl Node {
    /// Starts an app, unless it is there already. The ticket, if any, is answered when it is known how it went.
    pub(super) fn start_app(&mut self, name: &AppName, profile: &str, ticket: Option<Ticket>) {
        if let Err(failure) = self.may_start(name, profile) {
            // What is there already is not touched.
            self.log(Severity::Warning, format!("app {name} is not started: {failure}"));
            return match ticket {
                Some(ticket) => self.answer(ticket, Err(failure)),
                None => self.start_is_over(name),
            };
        }
        let profile = if profile.is_empty() { DEFAULT_PROFILE } else { profile }.to_owned();
        let stage = match self.config.local_apps().get(name) {
            Some(directory) => {
                let request = LaunchRequest::InPlace { app: name.to_string(), directory: directory.clone() };
                self.launch(name, request);
                Stage::Look
            }
            None => {
                self.read(name, "manifests", name.as_str());
                Stage::Manifest
            }
        };
        let preparation = Preparation { profile, ticket, pausers: Vec::new(), stage };
        self.apps.insert(name.clone(), App::Preparing(preparation));
    }

    fn may_start(&self, name: &AppName, profile: &str) -> Result<(), Failure> {
        if self.phase.is_ending() {
            return Err(Failure::new(codes::APP_STOPPED, "the node is shutting down"));
        }
        if let Some(app) = self.apps.get(name).filter(|app| !matches!(app, App::Broken { .. })) {
            let text =
                format!("application {:?} has already been started: it is {}", name.as_str(), app.state());
            return Err(Failure::new(codes::ALREADY_STARTED, text));
        }
        self.config
            .check_app_name(name, self.last_engine + 1)
            .map_err(|error| Failure::new(codes::PUBLISH_FAILED, error.to_string()))?;
        if !profile.is_empty() {
            AppName::new(profile).map_err(|error| {
                Failure::new(
                    codes::INVALID_ARGUMENT,
                    format!("{profile:?} cannot be a profile's name: {error}"),
                )
            })?;
        }
        Ok(())
    }

    fn read(&mut self, app: &AppName, collection: &str, key: &str) {
        let request = StoreRequest::Read { collection: collection.to_owned(), key: key.to_owned() };
        self.store(request, Storing::App(app.clone()));
    }

    fn launch(&mut self, app: &AppName, request: LaunchRequest) {
        let launch = self.out.next_launch();
        self.launches.insert(launch, app.clone());
        self.out.push(Output::Launch { launch, request });
    }

    pub(super) fn on_launched(&mut self, launch: LaunchId, result: Result<Launched, LaunchError>) {
        if let Some(app) = self.launches.remove(&launch) {
            self.go_on_starting(&app, Event::Launched(result));
        }
    }

    /// What was under way for an app has come back.
    pub(super) fn go_on_starting(&mut self, name: &AppName, event: Event) {
        let Some(App::Preparing(preparation)) = self.apps.get_mut(name) else { return };
        if !preparation.pausers.is_empty() {
            return self.start_abandoned(name);
        }
        let stage = mem::replace(&mut preparation.stage, Stage::Look);
        let profile = preparation.profile.clone();
        match self.next_stage(name, &profile, stage, event) {
            Ok(Next::Wait(stage)) => {
                if let Some(App::Preparing(preparation)) = self.apps.get_mut(name) {
                    preparation.stage = stage;
                }
            }
            Ok(Next::Start { manifest, profile: content, directory }) => {
                self.start_engine(name, *manifest, *content, directory);
            }
            Err(failure) => {
                if let Some(App::Preparing(preparation)) = self.apps.remove(name) {
                    self.start_failed(name, preparation.ticket, &failure);
                }
            }
        }
    }

    fn next_stage(
        &mut self,
        name: &AppName,
        profile: &str,
        stage: Stage,
        event: Event,
    ) -> Result<Next, Failure> {
        match (stage, event) {
            (Stage::Manifest, Event::Read(read)) => {
                let document = document(format!("manifests/{name}"), read)?;
                let manifest = Box::new(self.checked(Manifest::read(&document))?);
                self.read(name, "profiles", profile);
                Ok(Next::Wait(Stage::Profile(manifest)))
            }
            (Stage::Profile(manifest), Event::Read(read)) => {
                let document = document(format!("profiles/{profile}"), read)?;
                let profile = Box::new(self.checked(Profile::read(&document))?);
                self.read(name, "apps", name.as_str());
                Ok(Next::Wait(Stage::Archive(manifest, profile)))
            }
            (Stage::Archive(manifest, profile), Event::Read(read)) => {
                let archive = archive(&format!("apps/{name}"), read)?;
                let spool = profile.spool().map(ToOwned::to_owned);
                self.launch(name, LaunchRequest::Unpack { app: name.to_string(), archive, spool });
                Ok(Next::Wait(Stage::Unpack(manifest, profile)))
            }
            (Stage::Unpack(manifest, profile), Event::Launched(launched)) => {
                let failed = |error: LaunchError| Failure::new(codes::SPOOL_FAILED, error.text);
                Ok(Next::Start { manifest, profile, directory: launched.map_err(failed)?.directory })
            }
            (Stage::Look, Event::Launched(launched)) => self.after_look(name, profile, launched),
            (Stage::LocalProfile(manifest, directory), Event::Read(read)) => {
                let profile = Box::new(self.local_profile(profile, read)?);
                Ok(Next::Start { manifest, profile, directory })
            }
            (stage, _) => Ok(Next::Wait(stage)),
        }
    }

    /// The directory of a local app was looked into.
    fn after_look(
        &mut self,
        name: &AppName,
        profile: &str,
        launched: Result<Launched, LaunchError>,
    ) -> Result<Next, Failure> {
        let launched = launched.map_err(|error| generic(error.errno, error.text))?;
        let Some(manifest) = launched.manifest else {
            let text = format!("there is no manifest.json in {}", launched.directory);
            return Err(Failure::new(codes::NOT_FOUND, text));
        };
        let manifest = Box::new(self.checked(Manifest::read(&manifest))?);
        let directory = launched.directory;
        let Some(document) = launched.profile else {
            self.read(name, "profiles", profile);
            return Ok(Next::Wait(Stage::LocalProfile(manifest, directory)));
        };
        let profile = Box::new(self.checked(Profile::read(&document))?);
        Ok(Next::Start { manifest, profile, directory })
    }

    /// A local app needs no storage: without a stored profile `default` there is the built-in one.
    fn local_profile(&mut self, name: &str, read: Result<Bytes, StoreError>) -> Result<Profile, Failure> {
        match read {
            Err(error) if error.errno == NO_ENTRY && name == DEFAULT_PROFILE => Ok(Profile::default()),
            read => {
                let document = document(format!("profiles/{name}"), read)?;
                self.checked(Profile::read(&document))
            }
        }
    }

    /// Logs the warnings of a document; what is wrong with it becomes a failure.
    fn checked<T>(&mut self, result: Result<Checked<T>, Complaint>) -> Result<T, Failure> {
        let checked = result.map_err(|error| Failure::new(codes::INVALID_ARGUMENT, error.to_string()))?;
        for warning in checked.warnings {
            self.log(Severity::Warning, warning.to_string());
        }
        Ok(checked.value)
    }

    fn start_engine(&mut self, name: &AppName, manifest: Manifest, profile: Profile, directory: String) {
        let Some(App::Preparing(preparation)) = self.apps.remove(name) else { return };
        let port = match self.ports.take(name.as_str(), &mut self.rng) {
            Ok(port) => port,
            Err(failure) => return self.start_failed(name, preparation.ticket, &failure),
        };
        self.last_engine += 1;
        let engine = EngineId::new(self.last_engine);
        let config = EngineConfig {
            app: name.clone(),
            manifest,
            profile,
            profile_name: preparation.profile,
            directory,
            socket: self.config.socket_path(name, self.last_engine),
            listen: (self.config.app_address, port),
            locators: self.worker_locators(),
            uid: self.config.uid,
            limits: self.config.limits,
            seed: self.next_seed(),
        };
        self.engines.insert(engine, EngineSide { app: name.clone(), port });
        self.apps.insert(name.clone(), App::Starting { engine, ticket: preparation.ticket });
        self.out.notice(NodeNotice::StartEngine { engine, config: Box::new(config) });
    }

    fn next_seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        for chunk in seed.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.rng.next_u64().to_le_bytes());
        }
        seed
    }

    /// A start has failed: it is remembered and said, and the next one may try.
    pub(super) fn start_failed(&mut self, name: &AppName, ticket: Option<Ticket>, failure: &Failure) {
        let text = format!("app {name} cannot start: {}", String::from_utf8_lossy(&failure.text));
        self.log(Severity::Error, text.clone());
        let failure = Failure::new(failure.code, text);
        self.apps.insert(name.clone(), App::Broken { failure: failure.clone() });
        if let Some(ticket) = ticket {
            self.answer(ticket, Err(failure));
        }
        self.start_is_over(name);
    }

    /// A start was given up while it was prepared.
    pub(super) fn start_abandoned(&mut self, name: &AppName) {
        let Some(App::Preparing(preparation)) = self.apps.remove(name) else { return };
        if let Some(ticket) = preparation.ticket {
            self.answer(ticket, Err(stopped_while_starting(name)));
        }
        for pauser in preparation.pausers {
            self.answer(pauser, Ok(Answer::DONE));
        }
        self.start_is_over(name);
    }
}

/// What the caller of a start gets that was stopped half-way.
pub(super) fn stopped_while_starting(name: &AppName) -> Failure {
    let text = format!("application {:?} has been stopped while it was starting", name.as_str());
    Failure::new(codes::APP_STOPPED, text)
}

pub(super) const NO_ENTRY: i32 = 2;

fn generic(errno: i32, text: String) -> Failure {
    let code = ErrorCode::new(category::GENERIC, errno);
    Failure::new(if errno > 0 { code } else { codes::INVALID_ARGUMENT }, text)
}

/// A stored document.
pub(super) fn document(source: String, read: Result<Bytes, StoreError>) -> Result<Document, Failure> {
    let bytes = read.map_err(|error| store_failure(&error, format!("{source}: ")))?;
    let (value, _) = Value::decode(&bytes).map_err(|error| {
        Failure::new(codes::INVALID_ARGUMENT, format!("{source}: the document is no msgpack: {error}"))
    })?;
    Ok(Document { source, value, positions: BTreeMap::new() })
}

/// A stored archive: one string that holds it.
fn archive(source: &str, read: Result<Bytes, StoreError>) -> Result<Bytes, Failure> {
    let bytes = read.map_err(|error| store_failure(&error, format!("{source}: ")))?;
    match Value::decode(&bytes) {
        Ok((Value::Raw(archive), _)) => Ok(archive),
        _ => {
            let text = format!("{source}: is no archive packed as one msgpack string; upload the app again");
            Err(Failure::new(codes::INVALID_ARGUMENT, text))
        }
    }
}
