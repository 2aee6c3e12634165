// How the client is generated: `make sdks` runs this from the folder that it is in.
export default {
  input: '../../openapi/openapi.json',
  output: { path: 'src/generated', module: { extension: '.js' } },
  parser: {
    patch: {
      operations: {
        // A stream of a run that has ended is answered 204, which ends it: no event is ever nothing.
        'GET /run/{run_id}/events/': (operation) => delete operation.responses['204'],
      },
    },
  },
  plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'],
};
