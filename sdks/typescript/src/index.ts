/** Client for the Sluice workflow server: one function per operation, one type per schema. */
export * from './generated/index.js';
export { createClient, type Client, type Config } from './generated/client/index.js';
