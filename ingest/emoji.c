/* emoji.c - the characters of the most common emoji short names.
 *
 * The table holds the names people type most, with their aliases; rarer and custom names stay as they are in a text.
 * It is sorted by strcmp() order, which a test checks. */
#include "emoji.h"

#include "base/base.h"

#include <string.h>

struct emoji {
    const char *name, *character;
};

/* clang-format off */
static const struct emoji table[] = {
    {"+1", "👍"}, {"-1", "👎"}, {"100", "💯"}, {"1234", "🔢"}, {"ab", "🆎"}, {"abacus", "🧮"}, {"abc", "🔤"},
    {"airplane", "✈️"}, {"alarm_clock", "⏰"}, {"alien", "👽"}, {"ambulance", "🚑"}, {"anchor", "⚓"}, {"angel", "👼"},
    {"anger", "💢"}, {"angry", "😠"}, {"anguished", "😧"}, {"ant", "🐜"}, {"apple", "🍎"}, {"arrow_down", "⬇️"},
    {"arrow_forward", "▶️"}, {"arrow_left", "⬅️"}, {"arrow_right", "➡️"}, {"arrow_up", "⬆️"},
    {"arrows_counterclockwise", "🔄"}, {"art", "🎨"}, {"astonished", "😲"}, {"atom_symbol", "⚛️"}, {"avocado", "🥑"},
    {"axe", "🪓"}, {"baby", "👶"}, {"bacon", "🥓"}, {"badger", "🦡"}, {"balloon", "🎈"}, {"ballot_box_with_check", "☑️"},
    {"banana", "🍌"}, {"bangbang", "‼️"}, {"bank", "🏦"}, {"bar_chart", "📊"}, {"baseball", "⚾"}, {"basketball", "🏀"},
    {"battery", "🔋"}, {"beach_with_umbrella", "🏖️"}, {"bear", "🐻"}, {"beaver", "🦫"}, {"bee", "🐝"}, {"beer", "🍺"},
    {"beers", "🍻"}, {"beetle", "🪲"}, {"bell", "🔔"}, {"bento", "🍱"}, {"bicyclist", "🚴"}, {"bike", "🚲"},
    {"bird", "🐦"}, {"birthday", "🎂"}, {"black_circle", "⚫"}, {"black_heart", "🖤"}, {"blue_heart", "💙"},
    {"blush", "😊"}, {"boat", "⛵"}, {"bomb", "💣"}, {"book", "📖"}, {"bookmark", "🔖"}, {"books", "📚"}, {"boom", "💥"},
    {"bouquet", "💐"}, {"bow", "🙇"}, {"brain", "🧠"}, {"bread", "🍞"}, {"brick", "🧱"}, {"briefcase", "💼"},
    {"broken_heart", "💔"}, {"broom", "🧹"}, {"brown_heart", "🤎"}, {"bug", "🐛"}, {"building_construction", "🏗️"},
    {"bulb", "💡"}, {"burrito", "🌯"}, {"bus", "🚌"}, {"butterfly", "🦋"}, {"cactus", "🌵"}, {"cake", "🍰"},
    {"calendar", "📆"}, {"call_me_hand", "🤙"}, {"camera", "📷"}, {"candle", "🕯️"}, {"candy", "🍬"}, {"car", "🚗"},
    {"card_index_dividers", "🗂️"}, {"cat", "🐱"}, {"chair", "🪑"}, {"chart_with_downwards_trend", "📉"},
    {"chart_with_upwards_trend", "📈"}, {"checkered_flag", "🏁"}, {"cheese_wedge", "🧀"}, {"cherry_blossom", "🌸"},
    {"chicken", "🐔"}, {"chipmunk", "🐿️"}, {"christmas_tree", "🎄"}, {"clap", "👏"}, {"clapper", "🎬"},
    {"classical_building", "🏛️"}, {"clinking_glasses", "🥂"}, {"clipboard", "📋"}, {"clock1", "🕐"},
    {"closed_lock_with_key", "🔐"}, {"cloud", "☁️"}, {"clown_face", "🤡"}, {"cocktail", "🍸"}, {"coffee", "☕"},
    {"coffin", "⚰️"}, {"coin", "🪙"}, {"cold_face", "🥶"}, {"cold_sweat", "😰"}, {"collision", "💥"}, {"comet", "☄️"},
    {"compass", "🧭"}, {"computer", "💻"}, {"confetti_ball", "🎊"}, {"confounded", "😖"}, {"confused", "😕"},
    {"construction", "🚧"}, {"construction_worker", "👷"}, {"control_knobs", "🎛️"}, {"cookie", "🍪"}, {"cool", "🆒"},
    {"cop", "👮"}, {"copyright", "©️"}, {"couch_and_lamp", "🛋️"}, {"cow", "🐮"}, {"crab", "🦀"}, {"credit_card", "💳"},
    {"crescent_moon", "🌙"}, {"cricket", "🦗"}, {"crossed_fingers", "🤞"}, {"crossed_swords", "⚔️"}, {"crown", "👑"},
    {"cry", "😢"}, {"crying_cat_face", "😿"}, {"crystal_ball", "🔮"}, {"cupid", "💘"}, {"dancer", "💃"}, {"dart", "🎯"},
    {"dash", "💨"}, {"date", "📅"}, {"de", "🇩🇪"}, {"desktop_computer", "🖥️"}, {"disappointed", "😞"},
    {"disappointed_relieved", "😥"}, {"dizzy", "💫"}, {"dizzy_face", "😵"}, {"dna", "🧬"}, {"dog", "🐶"},
    {"dollar", "💵"}, {"dolphin", "🐬"}, {"dotted_line_face", "🫥"}, {"doughnut", "🍩"}, {"dove_of_peace", "🕊️"},
    {"dragon", "🐉"}, {"droplet", "💧"}, {"duck", "🦆"}, {"eagle", "🦅"}, {"ear", "👂"}, {"earth_africa", "🌍"},
    {"earth_americas", "🌎"}, {"earth_asia", "🌏"}, {"eggplant", "🍆"}, {"eight", "8️⃣"}, {"electric_plug", "🔌"},
    {"elephant", "🐘"}, {"email", "✉️"}, {"envelope", "✉️"}, {"envelope_with_arrow", "📩"}, {"evergreen_tree", "🌲"},
    {"exclamation", "❗"}, {"exploding_head", "🤯"}, {"expressionless", "😑"}, {"eye", "👁️"}, {"eyes", "👀"},
    {"face_holding_back_tears", "🥹"}, {"face_palm", "🤦"}, {"face_with_cowboy_hat", "🤠"},
    {"face_with_hand_over_mouth", "🤭"}, {"face_with_head_bandage", "🤕"}, {"face_with_monocle", "🧐"},
    {"face_with_peeking_eye", "🫣"}, {"face_with_raised_eyebrow", "🤨"}, {"face_with_rolling_eyes", "🙄"},
    {"face_with_symbols_on_mouth", "🤬"}, {"face_with_thermometer", "🤒"}, {"facepalm", "🤦"}, {"facepunch", "👊"},
    {"fallen_leaf", "🍂"}, {"fast_forward", "⏩"}, {"fearful", "😨"}, {"female-technologist", "👩‍💻"},
    {"file_folder", "📁"}, {"film_frames", "🎞️"}, {"fingers_crossed", "🤞"}, {"fire", "🔥"}, {"fire_engine", "🚒"},
    {"firecracker", "🧨"}, {"fireworks", "🎆"}, {"first_place_medal", "🥇"}, {"fish", "🐟"}, {"fist", "✊"},
    {"five", "5️⃣"}, {"flag-ca", "🇨🇦"}, {"flag-de", "🇩🇪"}, {"flag-es", "🇪🇸"}, {"flag-eu", "🇪🇺"}, {"flag-fr", "🇫🇷"},
    {"flag-gb", "🇬🇧"}, {"flag-in", "🇮🇳"}, {"flag-it", "🇮🇹"}, {"flag-jp", "🇯🇵"}, {"flag-us", "🇺🇸"},
    {"flamingo", "🦩"}, {"flashlight", "🔦"}, {"flipper", "🐬"}, {"floppy_disk", "💾"}, {"flushed", "😳"},
    {"football", "🏈"}, {"four", "4️⃣"}, {"four_leaf_clover", "🍀"}, {"fox_face", "🦊"}, {"fr", "🇫🇷"}, {"fries", "🍟"},
    {"frog", "🐸"}, {"frowning", "😦"}, {"full_moon", "🌕"}, {"gb", "🇬🇧"}, {"gear", "⚙️"}, {"gem", "💎"},
    {"ghost", "👻"}, {"gift", "🎁"}, {"giraffe_face", "🦒"}, {"globe_with_meridians", "🌐"}, {"goat", "🐐"},
    {"golf", "⛳"}, {"green_apple", "🍏"}, {"green_heart", "💚"}, {"grey_question", "❔"}, {"grimacing", "😬"},
    {"grin", "😁"}, {"grinning", "😀"}, {"guitar", "🎸"}, {"hamburger", "🍔"}, {"hammer", "🔨"},
    {"hammer_and_wrench", "🛠️"}, {"hamster", "🐹"}, {"hand", "✋"},
    {"hand_with_index_and_middle_fingers_crossed", "🤞"}, {"handshake", "🤝"}, {"hankey", "💩"},
    {"hatched_chick", "🐥"}, {"headphones", "🎧"}, {"hear_no_evil", "🙉"}, {"heart", "❤️"}, {"heart_eyes", "😍"},
    {"heart_eyes_cat", "😻"}, {"heart_hands", "🫶"}, {"heartbeat", "💓"}, {"heartpulse", "💗"},
    {"heavy_check_mark", "✔️"}, {"heavy_exclamation_mark", "❗"}, {"heavy_minus_sign", "➖"},
    {"heavy_multiplication_x", "✖️"}, {"heavy_plus_sign", "➕"}, {"hedgehog", "🦔"}, {"herb", "🌿"}, {"hibiscus", "🌺"},
    {"hook", "🪝"}, {"hot_face", "🥵"}, {"hot_pepper", "🌶️"}, {"hotdog", "🌭"}, {"hourglass", "⌛"},
    {"hourglass_flowing_sand", "⏳"}, {"house", "🏠"}, {"hugging_face", "🤗"}, {"hushed", "😯"},
    {"i_love_you_hand_sign", "🤟"}, {"ice_cream", "🍨"}, {"icecream", "🍦"}, {"imp", "👿"}, {"inbox_tray", "📥"},
    {"infinity", "♾️"}, {"information_desk_person", "💁"}, {"information_source", "ℹ️"}, {"innocent", "😇"},
    {"interrobang", "⁉️"}, {"iphone", "📱"}, {"jack_o_lantern", "🎃"}, {"jigsaw", "🧩"}, {"joy", "😂"},
    {"joy_cat", "😹"}, {"joystick", "🕹️"}, {"jp", "🇯🇵"}, {"key", "🔑"}, {"keyboard", "⌨️"}, {"kiss", "💋"},
    {"kissing", "😗"}, {"kissing_heart", "😘"}, {"koala", "🐨"}, {"label", "🏷️"}, {"ladder", "🪜"}, {"ladybug", "🐞"},
    {"large_blue_circle", "🔵"}, {"large_green_circle", "🟢"}, {"large_orange_circle", "🟠"},
    {"large_yellow_circle", "🟡"}, {"laughing", "😆"}, {"leaves", "🍃"}, {"left-facing_fist", "🤛"}, {"lemon", "🍋"},
    {"link", "🔗"}, {"lion_face", "🦁"}, {"llama", "🦙"}, {"lobster", "🦞"}, {"lock", "🔒"}, {"lollipop", "🍭"},
    {"loudspeaker", "📢"}, {"love_letter", "💌"}, {"mag", "🔍"}, {"mag_right", "🔎"}, {"magnet", "🧲"}, {"mailbox", "📫"},
    {"male-technologist", "👨‍💻"}, {"man-facepalming", "🤦‍♂️"}, {"man-shrugging", "🤷‍♂️"}, {"maple_leaf", "🍁"},
    {"mask", "😷"}, {"medal", "🏅"}, {"mega", "📣"}, {"melting_face", "🫠"}, {"memo", "📝"}, {"microbe", "🦠"},
    {"microphone", "🎤"}, {"microscope", "🔬"}, {"milky_way", "🌌"}, {"mirror", "🪞"}, {"money_mouth_face", "🤑"},
    {"money_with_wings", "💸"}, {"moneybag", "💰"}, {"monkey", "🐒"}, {"monkey_face", "🐵"}, {"mortar_board", "🎓"},
    {"mosquito", "🦟"}, {"mountain", "⛰️"}, {"mouse", "🐭"}, {"movie_camera", "🎥"}, {"muscle", "💪"},
    {"mushroom", "🍄"}, {"musical_note", "🎵"}, {"nail_care", "💅"}, {"nauseated_face", "🤢"}, {"nazar_amulet", "🧿"},
    {"necktie", "👔"}, {"nerd_face", "🤓"}, {"neutral_face", "😐"}, {"new", "🆕"}, {"new_moon", "🌑"},
    {"newspaper", "📰"}, {"nine", "9️⃣"}, {"no_bell", "🔕"}, {"no_entry", "⛔"}, {"no_entry_sign", "🚫"},
    {"no_good", "🙅"}, {"no_mouth", "😶"}, {"no_smoking", "🚭"}, {"non-potable_water", "🚱"}, {"notebook", "📓"},
    {"notes", "🎶"}, {"nut_and_bolt", "🔩"}, {"o", "⭕"}, {"ocean", "🌊"}, {"octopus", "🐙"}, {"office", "🏢"},
    {"ok", "🆗"}, {"ok_hand", "👌"}, {"ok_woman", "🙆"}, {"older_man", "👴"}, {"oncoming_automobile", "🚘"},
    {"one", "1️⃣"}, {"open_file_folder", "📂"}, {"open_hands", "👐"}, {"open_mouth", "😮"}, {"orange_heart", "🧡"},
    {"otter", "🦦"}, {"outbox_tray", "📤"}, {"owl", "🦉"}, {"package", "📦"}, {"page_facing_up", "📄"},
    {"palm_tree", "🌴"}, {"palms_up_together", "🤲"}, {"pancakes", "🥞"}, {"panda_face", "🐼"}, {"paperclip", "📎"},
    {"parrot", "🦜"}, {"partly_sunny", "⛅"}, {"partying_face", "🥳"}, {"pencil", "📝"}, {"pencil2", "✏️"},
    {"penguin", "🐧"}, {"pensive", "😔"}, {"people_hugging", "🫂"}, {"performing_arts", "🎭"}, {"persevere", "😣"},
    {"phone", "☎️"}, {"pick", "⛏️"}, {"pig", "🐷"}, {"pill", "💊"}, {"pinched_fingers", "🤌"}, {"pineapple", "🍍"},
    {"ping_pong", "🏓"}, {"pizza", "🍕"}, {"pleading_face", "🥺"}, {"point_down", "👇"}, {"point_left", "👈"},
    {"point_right", "👉"}, {"point_up", "☝️"}, {"point_up_2", "👆"}, {"poop", "💩"}, {"popcorn", "🍿"},
    {"postbox", "📮"}, {"pray", "🙏"}, {"printer", "🖨️"}, {"punch", "👊"}, {"purple_heart", "💜"}, {"pushpin", "📌"},
    {"question", "❓"}, {"rabbit", "🐰"}, {"racehorse", "🐎"}, {"racing_car", "🏎️"}, {"rage", "😡"}, {"rainbow", "🌈"},
    {"raised_back_of_hand", "🤚"}, {"raised_hand", "✋"}, {"raised_hand_with_fingers_splayed", "🖐️"},
    {"raised_hands", "🙌"}, {"raising_hand", "🙋"}, {"ramen", "🍜"}, {"receipt", "🧾"}, {"recycle", "♻️"},
    {"red_car", "🚗"}, {"red_circle", "🔴"}, {"red_envelope", "🧧"}, {"relaxed", "☺️"}, {"relieved", "😌"},
    {"repeat", "🔁"}, {"rewind", "⏪"}, {"ribbon", "🎀"}, {"rice", "🍚"}, {"right-facing_fist", "🤜"},
    {"ringed_planet", "🪐"}, {"robot_face", "🤖"}, {"rock", "🪨"}, {"rocket", "🚀"}, {"rofl", "🤣"},
    {"rolling_on_the_floor_laughing", "🤣"}, {"rose", "🌹"}, {"rotating_light", "🚨"}, {"round_pushpin", "📍"},
    {"runner", "🏃"}, {"running", "🏃"}, {"safety_pin", "🧷"}, {"saluting_face", "🫡"}, {"sandwich", "🥪"},
    {"satellite_antenna", "📡"}, {"satisfied", "😆"}, {"sauropod", "🦕"}, {"saxophone", "🎷"}, {"scales", "⚖️"},
    {"scream", "😱"}, {"scroll", "📜"}, {"see_no_evil", "🙈"}, {"seedling", "🌱"}, {"seven", "7️⃣"}, {"shark", "🦈"},
    {"sheep", "🐑"}, {"shell", "🐚"}, {"shield", "🛡️"}, {"ship", "🚢"}, {"shocked_face_with_exploding_head", "🤯"},
    {"shopping_trolley", "🛒"}, {"shower", "🚿"}, {"shrug", "🤷"}, {"shushing_face", "🤫"}, {"sign_of_the_horns", "🤘"},
    {"simple_smile", "🙂"}, {"six", "6️⃣"}, {"skull", "💀"}, {"skull_and_crossbones", "☠️"}, {"skunk", "🦨"},
    {"sleeping", "😴"}, {"sleepy", "😪"}, {"sleuth_or_spy", "🕵️"}, {"slightly_frowning_face", "🙁"},
    {"slightly_smiling_face", "🙂"}, {"sloth", "🦥"}, {"small_blue_diamond", "🔹"}, {"small_orange_diamond", "🔸"},
    {"smile", "😄"}, {"smile_cat", "😸"}, {"smiley", "😃"}, {"smiley_cat", "😺"}, {"smiling_face_with_3_hearts", "🥰"},
    {"smiling_face_with_tear", "🥲"}, {"smiling_imp", "😈"}, {"smirk", "😏"}, {"snail", "🐌"}, {"snake", "🐍"},
    {"sneezing_face", "🤧"}, {"snow_capped_mountain", "🏔️"}, {"snowflake", "❄️"}, {"snowman", "☃️"}, {"sob", "😭"},
    {"soccer", "⚽"}, {"socks", "🧦"}, {"soon", "🔜"}, {"sos", "🆘"}, {"space_invader", "👾"}, {"sparkle", "❇️"},
    {"sparkler", "🎇"}, {"sparkles", "✨"}, {"sparkling_heart", "💖"}, {"speak_no_evil", "🙊"}, {"speaker", "🔈"},
    {"speech_balloon", "💬"}, {"spider", "🕷️"}, {"spider_web", "🕸️"}, {"spiral_calendar_pad", "🗓️"},
    {"spock-hand", "🖖"}, {"sponge", "🧽"}, {"sports_medal", "🏅"}, {"star", "⭐"}, {"star-struck", "🤩"},
    {"star2", "🌟"}, {"stars", "🌠"}, {"steam_locomotive", "🚂"}, {"stethoscope", "🩺"}, {"stop_button", "⏹️"},
    {"stopwatch", "⏱️"}, {"strawberry", "🍓"}, {"stuck_out_tongue", "😛"}, {"stuck_out_tongue_closed_eyes", "😝"},
    {"stuck_out_tongue_winking_eye", "😜"}, {"studio_microphone", "🎙️"}, {"sun_with_face", "🌞"}, {"sunflower", "🌻"},
    {"sunglasses", "😎"}, {"sunny", "☀️"}, {"sunrise", "🌅"}, {"surfer", "🏄"}, {"sushi", "🍣"}, {"sweat", "😓"},
    {"sweat_drops", "💦"}, {"sweat_smile", "😅"}, {"swimmer", "🏊"}, {"t-rex", "🦖"},
    {"table_tennis_paddle_and_ball", "🏓"}, {"taco", "🌮"}, {"tada", "🎉"}, {"tanabata_tree", "🎋"}, {"tea", "🍵"},
    {"teddy_bear", "🧸"}, {"telephone_receiver", "📞"}, {"telescope", "🔭"}, {"tent", "⛺"}, {"test_tube", "🧪"},
    {"the_horns", "🤘"}, {"thermometer", "🌡️"}, {"thinking_face", "🤔"}, {"thought_balloon", "💭"}, {"thread", "🧵"},
    {"three", "3️⃣"}, {"thumbsdown", "👎"}, {"thumbsup", "👍"}, {"thunder_cloud_and_rain", "⛈️"}, {"ticket", "🎫"},
    {"tiger", "🐯"}, {"timer_clock", "⏲️"}, {"tired_face", "😫"}, {"tm", "™️"}, {"toilet", "🚽"}, {"tongue", "👅"},
    {"top", "🔝"}, {"tophat", "🎩"}, {"traffic_light", "🚥"}, {"train", "🚋"}, {"trident", "🔱"}, {"triumph", "😤"},
    {"trophy", "🏆"}, {"truck", "🚚"}, {"tulip", "🌷"}, {"tumbler_glass", "🥃"}, {"turkey", "🦃"}, {"turtle", "🐢"},
    {"tv", "📺"}, {"two", "2️⃣"}, {"two_hearts", "💕"}, {"umbrella", "☂️"}, {"umbrella_with_rain_drops", "☔"},
    {"unamused", "😒"}, {"unicorn_face", "🦄"}, {"unlock", "🔓"}, {"up", "🆙"}, {"upside_down_face", "🙃"}, {"us", "🇺🇸"},
    {"v", "✌️"}, {"vertical_traffic_light", "🚦"}, {"video_camera", "📹"}, {"video_game", "🎮"}, {"volcano", "🌋"},
    {"vs", "🆚"}, {"walking", "🚶"}, {"warning", "⚠️"}, {"wastebasket", "🗑️"}, {"watch", "⌚"}, {"watermelon", "🍉"},
    {"wave", "👋"}, {"waving_black_flag", "🏴"}, {"waving_white_flag", "🏳️"}, {"weary", "😩"}, {"whale", "🐳"},
    {"wheelchair", "♿"}, {"white_check_mark", "✅"}, {"white_circle", "⚪"}, {"white_heart", "🤍"},
    {"wilted_flower", "🥀"}, {"wind_blowing_face", "🌬️"}, {"wine_glass", "🍷"}, {"wink", "😉"}, {"wolf", "🐺"},
    {"woman-facepalming", "🤦‍♀️"}, {"woman-shrugging", "🤷‍♀️"}, {"wood", "🪵"}, {"woozy_face", "🥴"},
    {"world_map", "🗺️"}, {"worried", "😟"}, {"wrench", "🔧"}, {"writing_hand", "✍️"}, {"x", "❌"},
    {"yawning_face", "🥱"}, {"yellow_heart", "💛"}, {"yum", "😋"}, {"zany_face", "🤪"}, {"zap", "⚡"},
    {"zebra_face", "🦓"}, {"zero", "0️⃣"}, {"zipper_mouth_face", "🤐"}, {"zzz", "💤"},
};
/* clang-format on */

const char *br_emoji_character(const char *name, size_t len)
{
    size_t low = 0, high = BR_COUNT(table);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strncmp(table[mid].name, name, len);
        if (order == 0 && table[mid].name[len])
            order = 1; /* the entry only begins with the name */
        if (order == 0)
            return table[mid].character;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

size_t br_emoji_count(void)
{
    return BR_COUNT(table);
}

const char *br_emoji_name(size_t i)
{
    return table[i].name;
}
