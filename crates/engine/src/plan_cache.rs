use std::sync::Arc;

use moka::future::Cache;
use sluice_domain::Definition;
use sluice_domain::run::Plan;
use sluice_nodes::{NodeKinds, Policies};
use uuid::Uuid;

use crate::error::EngineError;
use crate::store::{RunStore, StoreError};

/// Number of cached plans.
const CAPACITY: u64 = 1_000;

/// A cache of plans by version id. The executable part of a version never changes, so that entries never expire.
pub(crate) struct PlanCache {
    store: Arc<dyn RunStore>,
    kinds: NodeKinds,
    plans: Cache<Uuid, Arc<Plan>>,
}

impl PlanCache {
    pub(crate) fn new(store: Arc<dyn RunStore>, policies: Policies) -> Self {
        Self { store, kinds: NodeKinds { policies, ..NodeKinds::default() }, plans: Cache::new(CAPACITY) }
    }

    /// Returns the plan of a version, building it on a cache miss.
    pub(crate) async fn get(&self, version_id: Uuid) -> Result<Arc<Plan>, EngineError> {
        if let Some(plan) = self.plans.get(&version_id).await {
            return Ok(plan);
        }
        let definition = self.load_definition(version_id).await?;
        let plan = Arc::new(Plan::build(&definition, &self.kinds)?);
        self.plans.insert(version_id, Arc::clone(&plan)).await;
        Ok(plan)
    }

    async fn load_definition(&self, version_id: Uuid) -> Result<Definition, EngineError> {
        let json = self.store.version_definition(version_id).await?.ok_or(EngineError::NotFound)?;
        serde_json::from_str(&json).map_err(|error| {
            EngineError::Store(StoreError::Unreadable {
                table: "workflow_versions",
                id: version_id.to_string(),
                what: error.to_string(),
            })
        })
    }
}
