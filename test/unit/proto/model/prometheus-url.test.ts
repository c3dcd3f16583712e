import test from 'ava';
import { isPrometheusUrl } from '#model/prometheus-url.ts';

test('a host, a port and a path where it has one', t => {
  for (const url of ['http://127.0.0.1:9090', 'https://metrics.example', 'http://metrics.example:9090/prometheus']) t.true(isPrometheusUrl(url), url);
});

test('no other scheme, no user, no query, no fragment, no host of nothing', t => {
  for (const url of ['metrics:9090', 'ftp://metrics', 'http://', 'http://u:p@metrics', 'http://metrics?x=1', 'http://metrics/#x', 'http://me trics', 'http://metrics:port']) t.false(isPrometheusUrl(url), url);
});
