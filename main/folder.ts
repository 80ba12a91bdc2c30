import type { AgentCommands } from '../agent/api.ts';
import { failed, type Outcome, succeeded } from '../core/errors.ts';

/** Has the owner choose where what others keep is to lie, and says so to the agent. Answers null, and changes nothing, when they chose nothing. */
export async function folderFor(
  use: AgentCommands['useFolder'],
  choose: () => Promise<string | null>,
): Promise<Outcome<string | null>> {
  try {
    const folder = await choose();
    if (folder === null) return succeeded(null);
    const used = await use(folder);
    return used.ok ? succeeded(folder) : used;
  } catch (error) {
    return failed(error);
  }
}
