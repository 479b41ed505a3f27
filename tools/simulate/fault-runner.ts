/** Carries out a plan of faults, ends them for a core quorum, and starts nodes again that have given up. */
import { planAbsences } from './absences.ts';
import type { Chance } from './chance.ts';
import type { Fault } from './faults.ts';
import { isLeaderFault, struckBy } from './leader-faults.ts';
import { CALM } from './links.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { Simulation } from './simulation.ts';

/** Whoever looks after a node starts it again after so long. */
const RESTART_MS = [300, 5_000] as const;
/** A node at work dies so long after its vote or slot began to be written: before, in the middle of, or after the sync and what follows it. */
const KILL_WITHIN_MS = 4;
/** A node whose ruined disk has failed so often is given up by whoever looks after it. */
const RUINED_LIVES_MAX = 2;
/** Share of phases after which nodes outside of the core stay broken. */
const BROKEN_RATE = 0.5;

export class FaultRunner {
  /** Numbers of the faults that struck. */
  readonly struck: number[] = [];
  /** Nodes killed while they wrote a vote or a slot of their own. */
  killsAtWork = 0;
  readonly #simulation: Simulation;
  readonly #chance: Chance;
  /** Undoes what is under way. */
  readonly #undo = new Set<() => void>();
  /** Rises with every phase: what was planned for an earlier one is void. */
  #phase = 0;
  /** Disks that fail now and then until their fault is over, whatever life their node is in. */
  readonly #failing = new Set<SimulatedNode>();
  /** Outside of the core: not started again. */
  readonly #leftBroken = new Set<SimulatedNode>();

  constructor(simulation: Simulation, chance: Chance) {
    this.#simulation = simulation;
    this.#chance = chance;
  }

  /** Plans the faults of a phase. */
  begin(plan: readonly Fault[], fromMs: number, toMs: number): void {
    const phase = ++this.#phase;
    const { time, options } = this.#simulation;
    const { groups, splitsAtOnce = false } = options.scenario;
    time.at(splitsAtOnce && phase === 1 ? 0 : fromMs, () => {
      if (phase === this.#phase) this.#split(groups);
    });
    this.#planAbsences(fromMs);
    for (const fault of plan)
      time.at(fault.atMs, () => {
        if (phase === this.#phase && time.nowMs < toMs) this.#strike(fault);
      });
  }

  #planAbsences(fromMs: number): void {
    const phase = this.#phase;
    const simulation = this.#simulation;
    const { absences = [], stretch } = { ...simulation.options.scenario, stretch: simulation.stretch };
    const named = (name: string): SimulatedNode => simulation.nodes.find((node) => node.name === name)!;
    const kill = (name: string): void => this.#kill(named(name), 'power', 'away');
    const start = (name: string): void => this.#start(named(name));
    planAbsences({ simulation, stretch, kill, start }, absences, fromMs, () => phase === this.#phase);
  }

  /** Ends the faults for a core quorum. @returns its nodes */
  calm(): SimulatedNode[] {
    this.#phase += 1;
    const { links, options, nodes } = this.#simulation;
    for (const { disk } of nodes) disk.onRecordSync = () => {};
    for (const undo of [...this.#undo]) undo();
    links.quality = options.scenario.wire ?? CALM;
    const core = this.#core();
    const rest = nodes.filter((node) => !core.includes(node) && node.isHonest);
    const isLeft = options.scenario.everybodyReturns !== true && this.#chance.hits(BROKEN_RATE);
    if (isLeft) for (const node of rest) this.#break(node);
    for (const node of nodes) if (!this.#leftBroken.has(node)) this.#startSoon(node);
    return core;
  }

  /** Whether nodes outside of the core stay broken. */
  get leavesBroken(): boolean {
    return this.#leftBroken.size > 0;
  }

  /** What was left broken is mended. */
  restore(): void {
    for (const node of [...this.#leftBroken]) {
      this.#leftBroken.delete(node);
      this.#startSoon(node);
    }
  }

  /** A node has stopped by itself. */
  gaveUp(node: SimulatedNode, error: Error): void {
    const { trace, oracles } = this.#simulation;
    trace.add('down', node.name, { why: `${error.name}: ${error.message}` });
    if (node.isDiskRuined) node.ruinedLives += 1;
    else if (node.isHonest && !node.hasFailingDisk) oracles.gaveUp(node.name, error);
    const isCut = 'code' in error && error.code === 'power-cut';
    node.kill(isCut || !node.disk.disk.powered ? 'power' : 'process');
    this.#startSoon(node);
  }

  #startSoon(node: SimulatedNode): void {
    if (node.isAlive || node.ruinedLives >= RUINED_LIVES_MAX) return;
    this.#simulation.time.after(this.#chance.between(...RESTART_MS), () => this.#start(node));
  }

  #start(node: SimulatedNode): void {
    if (node.isAlive || this.#leftBroken.has(node) || node.ruinedLives >= RUINED_LIVES_MAX) return;
    this.#simulation.trace.add('boot', node.name);
    node.boot();
    node.hasFailingDisk = this.#failing.has(node);
  }

  #break(node: SimulatedNode): void {
    this.#leftBroken.add(node);
    if (node.isAlive) this.#kill(node, 'power', 'left broken');
  }

  #kill(node: SimulatedNode, kind: 'power' | 'process', why: string, lossRate?: number): void {
    if (!node.isAlive) return;
    this.#simulation.trace.add('down', node.name, { why });
    node.kill(kind, lossRate);
    const { rank } = node;
    const { losesVoteFile } = this.#simulation.options.scenario;
    if (rank !== null && losesVoteFile?.includes(rank) === true) void node.disk.disk.remove('/data/votes');
  }

  /** Archives, and honest validators at random up to a quorum. */
  #core(): SimulatedNode[] {
    const { nodes, oracles, options } = this.#simulation;
    const honest = nodes.filter(({ isHonest, rank, isDiskRuined }) => isHonest && rank !== null && !isDiskRuined);
    const core: SimulatedNode[] = [];
    const isEnough = (): boolean =>
      options.scenario.everybodyReturns !== true && oracles.watch.isQuorum(core.map(({ rank }) => rank!));
    while (honest.length > 0 && !isEnough()) core.push(honest.splice(this.#chance.below(honest.length), 1)[0]!);
    return [...core, ...nodes.filter(({ rank }) => rank === null)];
  }

  #strike(fault: Fault): void {
    const { trace, nodes } = this.#simulation;
    this.struck.push(fault.number);
    const { number, kind, durationMs } = fault;
    trace.add('fault', null, { number, fault: kind, nodes: fault.nodes, forMs: Math.round(durationMs) });
    const struck = nodes.filter(({ name }) => fault.nodes.includes(name));
    if (isLeaderFault(kind)) {
      const node = struckBy(kind, nodes);
      if (node !== null) this.#endLead(node, fault);
      return;
    }
    switch (kind) {
      case 'crash':
        for (const node of struck) this.#crash(node, fault);
        return;
      case 'disk':
        for (const node of struck) this.#failDisk(node);
        return;
      case 'diskErrors':
        for (const node of struck) this.#diskErrors(node, fault);
        return;
      case 'ruin':
        this.#ruin();
        return;
      case 'killAtWork':
        for (const node of struck) this.#killAtWork(node, fault);
        return;
      case 'pause':
        for (const node of struck) this.#pause(node, durationMs);
        return;
      case 'cut':
      case 'cutOneWay':
        this.#cut(fault);
        return;
      case 'clog':
        this.#simulation.links.clog(fault.nodes[0]!, fault.nodes[1]!, this.#simulation.nowMs + durationMs);
        return;
      case 'wire':
        this.#wire(fault);
        return;
    }
  }

  /** Killed, or stopped as its keeper would: then it hands over first. */
  #endLead(node: SimulatedNode, fault: Fault): void {
    if (fault.kind !== 'stopLeader') {
      this.#crash(node, { ...fault, power: true });
      return;
    }
    const { time, trace } = this.#simulation;
    trace.add('down', node.name, { why: 'stopped' });
    node.stop(() => time.after(fault.durationMs, () => this.#start(node)));
  }

  #crash(node: SimulatedNode, { power, durationMs, lossRate }: Fault): void {
    if (!node.isAlive) return;
    this.#kill(node, power === true ? 'power' : 'process', power === true ? 'power cut' : 'killed', lossRate);
    this.#simulation.time.after(durationMs, () => this.#start(node));
  }

  /** Waits for the node's next vote or own slot, and strikes while it is written. */
  #killAtWork(node: SimulatedNode, fault: Fault): void {
    const { time } = this.#simulation;
    const phase = this.#phase;
    node.disk.onRecordSync = () => {
      node.disk.onRecordSync = () => {};
      const life = node.lives;
      time.after(this.#chance.between(0, KILL_WITHIN_MS), () => {
        if (node.lives !== life || !node.isAlive || phase !== this.#phase) return;
        this.killsAtWork += 1;
        this.#crash(node, fault);
      });
    };
  }

  #diskErrors(node: SimulatedNode, { errorRates, durationMs }: Fault): void {
    if (!node.isAlive || errorRates === undefined) return;
    const { disk } = node.disk;
    disk.errorRates = errorRates;
    node.hasFailingDisk = true;
    this.#failing.add(node);
    this.#during(durationMs, () => {
      disk.errorRates = undefined;
      this.#failing.delete(node);
    });
  }

  /** One of the nodes that the scenario lets be ruined: so few that the others are a quorum. */
  #ruin(): void {
    const { nodes, options, oracles } = this.#simulation;
    const ruinable = nodes.filter(({ rank }) => rank !== null && options.scenario.ruins?.includes(rank) === true);
    const alive = ruinable.filter(({ isAlive }) => isAlive);
    if (alive.length === 0) return;
    const node = this.#chance.pick(alive);
    node.isDiskRuined = true;
    oracles.ruined.add(node.name);
    node.disk.ruin();
  }

  /** An operation soon fails, or the power goes in the middle of it. */
  #failDisk(node: SimulatedNode): void {
    if (!node.isAlive) return;
    node.hasFailingDisk = true;
    node.disk.failSoon(this.#chance.pick(['io', 'io', 'cut', 'cut', 'no-space'] as const));
  }

  #pause(node: SimulatedNode, durationMs: number): void {
    if (node.isAlive) this.#simulation.links.sleep(node.name, node.pause(durationMs));
  }

  #cut({ nodes: side, kind, durationMs }: Fault): void {
    const others = this.#simulation.nodes.map(({ name }) => name).filter((name) => !side.includes(name));
    const pairs = side.flatMap((a) => others.map((b) => [a, b] as const));
    this.#during(durationMs, this.#cutPairs(pairs, kind === 'cut'));
  }

  #cutPairs(pairs: readonly (readonly [string, string])[], isBothWays: boolean): () => void {
    const { links } = this.#simulation;
    for (const [a, b] of pairs) {
      links.cut(a, b);
      if (isBothWays) links.cut(b, a);
    }
    return () => {
      for (const [a, b] of pairs) {
        links.heal(a, b);
        if (isBothWays) links.heal(b, a);
      }
    };
  }

  #wire({ wire, durationMs }: Fault): void {
    const { links, options } = this.#simulation;
    links.quality = wire ?? CALM;
    this.#during(durationMs, () => {
      links.quality = options.scenario.wire ?? CALM;
    });
  }

  /** Keeps the scenario's groups apart until the faults end. */
  #split(groups: Readonly<Record<string, number>> | undefined): void {
    if (groups === undefined) return;
    const names = this.#simulation.nodes.map(({ name }) => name);
    const pairs = names.flatMap((a) =>
      names.flatMap((b) => (a < b && (groups[a] ?? 0) !== (groups[b] ?? 0) ? [[a, b] as const] : [])),
    );
    this.#during(Number.POSITIVE_INFINITY, this.#cutPairs(pairs, true));
  }

  /** Undoes something after a while, or when the faults end. */
  #during(durationMs: number, undo: () => void): void {
    const { time, trace } = this.#simulation;
    const once = (): void => {
      if (!this.#undo.delete(once)) return;
      undo();
      trace.add('heal', null);
    };
    this.#undo.add(once);
    if (Number.isFinite(durationMs)) time.after(durationMs, once);
  }
}
