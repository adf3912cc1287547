//! The laboratory that an engine watches, for the panel with the fault buttons. The host of the engine gives it; without one there is none.

use lab::netns::LabInstance;
use lab::scenario::{DESCRIPTIONS, Scenario, restore_all};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use ts_rs::TS;

/// A laboratory that can be disturbed.
pub trait LabControl: Send + Sync + 'static {
    /// Says what it is and what can be done to it.
    fn view(&self) -> LabView;
    /// Lets a fault happen; returns what was done. Blocks until it has happened.
    ///
    /// # Errors
    /// In words, with what would be right.
    fn strike(&self, name: &str, parameters: &BTreeMap<String, String>) -> Result<String, String>;
    /// Undoes every fault.
    ///
    /// # Errors
    /// In words.
    fn restore(&self) -> Result<(), String>;
}

/// The laboratory at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct LabView {
    /// Identity.
    pub id: String,
    /// `netns` or `sim`.
    pub driver: String,
    /// It ends with the engine's process.
    pub embedded: bool,
    /// Faults there are: name, what happens, parameters with defaults.
    pub faults: Vec<(String, String, String)>,
    /// Providers.
    pub providers: Vec<String>,
    /// Exits.
    pub exits: Vec<String>,
    /// Faults that were made and not undone, in words.
    pub active: Vec<String>,
}

/// What `lab_strike` is told.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct StrikeArguments {
    /// Name of the fault.
    pub name: String,
    /// Parameters by name.
    pub parameters: BTreeMap<String, String>,
}

/// A booted laboratory behind the panel.
#[derive(Debug)]
pub struct Laboratory {
    instance: LabInstance,
    embedded: bool,
    active: Mutex<Vec<String>>,
}

impl Laboratory {
    /// Takes a booted laboratory; `embedded`: it ends with this process.
    #[must_use]
    pub const fn new(instance: LabInstance, embedded: bool) -> Self {
        Self { instance, embedded, active: Mutex::new(Vec::new()) }
    }
}

impl LabControl for Laboratory {
    fn view(&self) -> LabView {
        let topology = &self.instance.topology;
        LabView {
            id: self.instance.id.clone(),
            driver: format!("{:?}", self.instance.driver).to_lowercase(),
            embedded: self.embedded,
            faults: DESCRIPTIONS.iter().map(|d| (d.name.to_owned(), d.what.to_owned(), d.parameters.to_owned())).collect(),
            providers: topology.providers.iter().map(|p| p.id.to_string()).collect(),
            exits: topology.exits.iter().map(|e| e.id.to_string()).collect(),
            active: self.active.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn strike(&self, name: &str, parameters: &BTreeMap<String, String>) -> Result<String, String> {
        let scenario = Scenario::parse(name, parameters).map_err(|e| e.to_string())?;
        scenario.apply(&self.instance).map_err(|e| runtime::chain(&e))?;
        let given: String = parameters.iter().map(|(k, v)| format!(" {k}={v}")).collect();
        let said = format!("{name}{given}");
        self.active.lock().unwrap_or_else(PoisonError::into_inner).push(said.clone());
        Ok(said)
    }

    fn restore(&self) -> Result<(), String> {
        restore_all(&self.instance).map_err(|e| runtime::chain(&e))?;
        self.active.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }
}
