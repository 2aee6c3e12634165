/** The client of the Sluice workflow server: a function per operation, a type per schema. */
export * from './generated/index.js';
export { createClient, type Client, type Config } from './generated/client/index.js';
