/** The machine's nft table of a local cluster: published ports of 127.0.0.1 and the machine's addresses go to the nodes that live. */

export interface HostRules {
  readonly table: string;
  /** The machine's link into the hub. */
  readonly link: string;
  readonly underlay: string;
  /** Published ports, sorted. */
  readonly ports: readonly { readonly protocol: 'tcp' | 'udp'; readonly port: number }[];
  /** Underlay addresses of the nodes that are ready, sorted. */
  readonly nodes: readonly string[];
}

/**
 * One script that replaces the table whole, in one transaction.
 *
 * New connections go round the nodes; those that exist keep theirs (conntrack). `route_localnet` of the link lets a packet from
 * 127.0.0.1 leave through it; masquerade gives it the machine's underlay address.
 * Source: nft(8), "NAT STATEMENTS"; Documentation/networking/ip-sysctl.rst, route_localnet
 */
export function hostRuleset(rules: HostRules): string {
  const lines = [`table ip ${rules.table} {}`, `delete table ip ${rules.table}`, `table ip ${rules.table} {`];
  lines.push('  chain output {', '    type nat hook output priority dstnat; policy accept;', ...dnatLines(rules, 'ip daddr 127.0.0.0/8'), '  }');
  lines.push('  chain prerouting {', '    type nat hook prerouting priority dstnat; policy accept;',
    ...dnatLines(rules, `iifname != "${rules.link}" fib daddr type local`), '  }');
  lines.push('  chain postrouting {', '    type nat hook postrouting priority srcnat; policy accept;',
    `    oifname "${rules.link}" ip saddr != ${rules.underlay} masquerade`,
    `    ip saddr ${rules.underlay} ip daddr != ${rules.underlay} oifname != "${rules.link}" masquerade`, '  }', '}');
  return `${lines.join('\n')}\n`;
}

/** The published ports in what `nft list table` says of such a table. Source: nft(8), "SETS": one element stands without braces */
export function publishedPorts(text: string): readonly { readonly protocol: string; readonly port: number }[] {
  const found = [...text.matchAll(/ (tcp|udp) dport (?:\{([^}]*)\}|(\d+)) dnat /g)]
    .flatMap(([, protocol = '', several, one = '']) => (several ?? one).split(',').map(port => `${protocol}/${port.trim()}`));
  return [...new Set(found)].map(text => ({ protocol: text.slice(0, 3), port: Number(text.slice(4)) }));
}

function dnatLines(rules: HostRules, match: string): readonly string[] {
  if (rules.nodes.length === 0) {
    return [];
  }
  const map = rules.nodes.map((address, index) => `${String(index)} : ${address}`).join(', ');
  return (['tcp', 'udp'] as const).flatMap(protocol => {
    const ports = rules.ports.filter(one => one.protocol === protocol).map(one => String(one.port));
    return ports.length === 0
      ? []
      : [`    ${match} ${protocol} dport { ${ports.join(', ')} } dnat to numgen inc mod ${String(rules.nodes.length)} map { ${map} }`];
  });
}
