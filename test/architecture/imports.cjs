/** Who may import whom. The table in words is in proto/README.md and the area READMEs. */
const SUFFIX = '-(api|loop|flow|store|client|server|fs|process|socket|syscall|tty|worker)\\.ts$';
const WIRING = '^(controller/controller|agent/agent|cli/(clusterctl|verb-table|[a-z]+-verbs)|(controller|agent|cli)/(main|config|metrics))\\.ts$';
const EFFECTS = [SUFFIX, WIRING, '^proto/(rpc|kit|registry|identity|news)/(?!backoff|undo-stack|[a-z-]+-(parse|rules)\\.ts)'];
const DECISION = { path: '^(controller|agent|cli|proto/(model|codec))/', pathNot: [SUFFIX, WIRING] };
// Hashing, path and address parsing.
const HARMLESS = '^(node:)?(crypto|path|net|buffer)$';
const no = (name, from, to) => ({ name, severity: 'error', from, to });
module.exports = {
  forbidden: [
    no('no-cycles', {}, { circular: true, dependencyTypesNot: ['type-only'] }),
    no('model-is-the-bottom', { path: '^proto/model/' }, { pathNot: '^proto/model/|node_modules/croner/', dependencyTypesNot: ['core'] }),
    no('kit-knows-only-model', { path: '^proto/kit/' }, { path: '^proto/(?!kit/|model/)' }),
    no('wire-types-stay-in-proto', { pathNot: '^(proto/(gen|codec|rpc)/|test/)' }, { path: '^proto/gen/' }),
    no('codecs-serve-the-edges', { pathNot: '^proto/(codec|rpc|news)/|^controller/store/|^agent/task/state-fs\\.ts$|^test/' }, { path: '^proto/codec/' }),
    no('proto-knows-no-program', { path: '^proto/' }, { path: '^(controller|agent|cli)/' }),
    no('programs-are-strangers', { path: '^(controller|agent|cli)/' }, { path: '^(controller|agent|cli)/', pathNot: '^$1/' }),
    no('no-test-code-in-programs', { pathNot: '^test/' }, { path: '^test/' }),
    no('one-door-to-etcd', { pathNot: '^controller/store/(etcd|etcd-members|etcd-space|election)-store\\.ts$|^test/' }, { path: 'node_modules/etcd3/' }),
    no('one-door-to-nats', { pathNot: '^proto/news/nats-client\\.ts$|^test/' }, { path: 'node_modules/nats/' }),
    no('one-door-to-grpc', { pathNot: '^proto/(gen|rpc)/|^test/' }, { path: 'node_modules/@grpc/' }),
    no('one-door-to-registries', { pathNot: '^proto/registry/|^test/' }, { path: 'node_modules/undici/' }),
    no('one-door-to-certificates', { pathNot: '^proto/identity/|^test/' }, { path: 'node_modules/@peculiar/' }),
    no('one-door-to-processes', { pathNot: '^proto/kit/command-process\\.ts$|^test/' }, { path: '^(node:)?child_process$', dependencyTypesNot: ['type-only'] }),
    no('one-door-to-fast-check', { pathNot: '^test/support/property\\.ts$' }, { path: 'node_modules/fast-check/' }),
    no('one-door-to-the-kernel', { pathNot: '^agent/kernel/[a-z-]+-syscall\\.ts$|^test/' }, { path: 'node_modules/koffi/' }),
    no('decisions-touch-nothing', DECISION, { dependencyTypesNot: ['type-only'], path: ['node_modules/(?!(yaml|croner)/)', ...EFFECTS] }),
    no('decisions-use-no-builtins', DECISION, { dependencyTypes: ['core'], dependencyTypesNot: ['type-only'], pathNot: HARMLESS }),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { conditionNames: ['source', 'import', 'types', 'node', 'default'] },
  },
};
