// The one player of the page.

import { getSound } from "/api.js";
import { Player } from "/player.js";

export const player = new Player(getSound);
