/* reaction.c - folds the many names of one reaction: skin tones are part of a name, and some emoji have several. */
#include "reaction.h"

#include <string.h>

static const struct {
    const char *alias, *name;
} aliases[] = {
    {"thumbsup", "+1"},
    {"thumbsdown", "-1"},
    {"poop", "hankey"},
    {"shit", "hankey"},
    {"satisfied", "laughing"},
    {"punch", "facepunch"},
    {"raised_hand", "hand"},
    {"runner", "running"},
    {"collision", "boom"},
    {"red_car", "car"},
    {"phone", "telephone"},
    {"honeybee", "bee"},
    {"flipper", "dolphin"},
    {"email", "envelope"},
    {"sailboat", "boat"},
    {"waxing_gibbous_moon", "moon"},
    {"open_book", "book"},
    {"fried_egg", "cooking"},
    {"mans_shoe", "shoe"},
    {"tshirt", "shirt"},
    {"hocho", "knife"},
    {"izakaya_lantern", "lantern"},
    {"heavy_exclamation_mark", "exclamation"},
    {"flag-gb", "gb"},
    {"uk", "gb"},
    {"flag-us", "us"},
    {"reversed_hand_with_middle_finger_extended", "middle_finger"},
    {"sign_of_the_horns", "the_horns"},
    {"hugging", "hugging_face"},
    {"thinking", "thinking_face"},
    {"nerd", "nerd_face"},
    {"robot", "robot_face"},
    {"simple_smile", "slightly_smiling_face"},
    {"rolling_eyes", "face_with_rolling_eyes"},
    {"rolling_on_the_floor_laughing", "rofl"},
    {"paw_prints", "feet"},
};

const char *br_reaction_fold(const char *name, struct br_arena *arena)
{
    const char *tone = strstr(name, "::skin-tone-");
    const char *folded = tone && tone != name ? br_arena_strn(arena, name, (size_t)(tone - name)) : name;
    for (size_t i = 0; folded && i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcmp(aliases[i].alias, folded) == 0)
            return aliases[i].name;
    return folded;
}
