//! Files of workflows: uploads, and data URIs among the inputs of runs. Each file is stored in a folder named by its
//! workflow, under a name chosen by the server.

pub(crate) mod cleanup;
pub(crate) mod data_uri;
pub(crate) mod folders;
pub(crate) mod name;
pub(crate) mod upload;
