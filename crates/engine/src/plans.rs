use std::sync::Arc;

use moka::future::Cache;
use sluice_domain::Definition;
use sluice_domain::run::Plan;
use sluice_nodes::{NodeKinds, Policies};
use uuid::Uuid;

use crate::{EngineError, RunStore, StoreError};

/// How many plans are kept. A version never changes, so a kept plan is never wrong.
const CAPACITY: u64 = 1_000;

/// Plans by version.
pub(crate) struct Plans {
    store: Arc<dyn RunStore>,
    kinds: NodeKinds,
    cache: Cache<Uuid, Arc<Plan>>,
}

impl Plans {
    pub(crate) fn new(store: Arc<dyn RunStore>, policies: Policies) -> Self {
        Self { store, kinds: NodeKinds { policies, ..NodeKinds::default() }, cache: Cache::new(CAPACITY) }
    }

    /// The plan of a version; made when nobody asked for it lately.
    pub(crate) async fn get(&self, version_id: Uuid) -> Result<Arc<Plan>, EngineError> {
        if let Some(plan) = self.cache.get(&version_id).await {
            return Ok(plan);
        }
        let definition = self.definition(version_id).await?;
        let plan = Arc::new(Plan::build(&definition, &self.kinds)?);
        self.cache.insert(version_id, Arc::clone(&plan)).await;
        Ok(plan)
    }

    async fn definition(&self, version_id: Uuid) -> Result<Definition, EngineError> {
        let json = self.store.version_definition(version_id).await?.ok_or(EngineError::NotFound)?;
        let unreadable = |error: serde_json::Error| StoreError::Unreadable {
            table: "workflow_versions",
            id: version_id.to_string(),
            what: error.to_string(),
        };
        Ok(serde_json::from_str(&json).map_err(unreadable)?)
    }
}
