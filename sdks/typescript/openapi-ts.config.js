// Configuration of the generator. `make sdks` runs it in this directory.
export default {
  input: '../../openapi/openapi.json',
  output: { path: 'src/generated', module: { extension: '.js' } },
  parser: {
    patch: {
      operations: {
        // The stream of an ended run can be an empty 204 response. Events are never empty.
        'GET /run/{run_id}/events/': (operation) => delete operation.responses['204'],
      },
    },
  },
  plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'],
};
