%%% What ejabberd's own backups hold of microblogs, and that nobody sees anything but what is stored after one was
%%% brought back, whatever was in memory.
-module(backup_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1]).
-export([
    a_dump_is_loaded_while_people_read/1,
    a_dump_brings_back_rosters_and_no_more_readers/1,
    a_backup_replaces_everything_at_the_next_start/1,
    restored_nodes_bring_nothing_of_others/1,
    no_error_was_logged/1
]).

-define(MINE, <<"/twitter/MyStream">>).

all() ->
    twitter_database:only(mnesia, "it is Mnesia's backup", [
        a_dump_is_loaded_while_people_read,
        a_dump_brings_back_rosters_and_no_more_readers,
        a_backup_replaces_everything_at_the_next_start,
        restored_nodes_bring_nothing_of_others
    ]) ++ [no_error_was_logged].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Cases

%% `load' adds what the dump has, and takes nothing away.
a_dump_is_loaded_while_people_read(Config) ->
    [Reader, Author] = twitter_cases:friends(Config, [<<"reader">>, <<"author">>]),
    [Stranger] = twitter_cases:strangers(Config, [<<"stranger">>]),
    <<"gone">> = twitter_requests:publish(Author, <<"gone">>, <<"Deleted later">>),
    <<"edited">> = twitter_requests:publish(Author, <<"edited">>, <<"As it was">>),
    Dump = dump(Config),
    ok = twitter_requests:retract(Author, <<"gone">>),
    <<"edited">> = twitter_requests:publish(Author, <<"edited">>, <<"As it is">>),
    <<"new">> = twitter_requests:publish(Author, <<"new">>, <<"New">>),
    ?assertEqual([{<<"edited">>, <<"As it is">>}, {<<"new">>, <<"New">>}], read(Reader, Author)),
    ok = load(Config, Dump),
    Loaded = [{<<"gone">>, <<"Deleted later">>}, {<<"edited">>, <<"As it was">>}, {<<"new">>, <<"New">>}],
    ?assertEqual(Loaded, read(Reader, Author)),
    ?assertEqual([], read(Stranger, Author)),
    %% It is his to change again.
    ok = twitter_requests:retract(Author, <<"gone">>),
    ?assertEqual(tl(Loaded), read(Reader, Author)).

%% Rights are those of the rosters as they are then.
a_dump_brings_back_rosters_and_no_more_readers(Config) ->
    [Author, Kept, Removed] = twitter_cases:friends(Config, [<<"author">>, <<"kept">>, <<"removed">>]),
    <<"one">> = twitter_requests:publish(Author, <<"one">>, <<"One">>),
    ok = twitter_cases:set_contact(Config, Author, twitter_client:bare(Removed), none),
    ok = twitter_cases:set_contact(Config, Removed, twitter_client:bare(Author), none),
    Without = dump(Config),
    ok = befriend(Config, Author, Removed),
    ?assertEqual([{<<"one">>, <<"One">>}], read(Removed, Author)),
    With = dump(Config),
    ok = load(Config, Without),
    ?assertEqual([], read(Removed, Author)),
    <<"two">> = twitter_requests:publish(Author, <<"two">>, <<"Two">>),
    ?assertEqual([{<<"one">>, <<"One">>}, {<<"two">>, <<"Two">>}], read(Kept, Author)),
    ?assertEqual([], read(Removed, Author)),
    ok = load(Config, With),
    ?assertEqual([{<<"one">>, <<"One">>}, {<<"two">>, <<"Two">>}], read(Removed, Author)).

a_backup_replaces_everything_at_the_next_start(Config) ->
    Server = twitter_cases:server(Config),
    [Reader, Author] = twitter_cases:friends(Config, [<<"reader">>, <<"author">>]),
    <<"gone">> = twitter_requests:publish(Author, <<"gone">>, <<"Deleted later">>),
    <<"edited">> = twitter_requests:publish(Author, <<"edited">>, <<"As it was">>),
    Backup = file(Config, "all.backup"),
    ok = twitter_ctl:run(Server, ["backup", Backup]),
    ok = twitter_requests:retract(Author, <<"gone">>),
    <<"edited">> = twitter_requests:publish(Author, <<"edited">>, <<"As it is">>),
    <<"new">> = twitter_requests:publish(Author, <<"new">>, <<"New">>),
    ok = twitter_ctl:run(Server, ["install_fallback", Backup]),
    ok = twitter_server:restart(Server),
    Again = twitter_users:login(Server, twitter_cases:user(Reader)),
    ?assertEqual([{<<"gone">>, <<"Deleted later">>}, {<<"edited">>, <<"As it was">>}], read(Again, Author)).

%% `restore' brings back nodes, but neither posts nor whose they are. The number of a node that was deleted
%% meanwhile may be that of another one by then.
restored_nodes_bring_nothing_of_others(Config) ->
    Server = twitter_cases:server(Config),
    [Reader, Author] = twitter_cases:friends(Config, [<<"reader">>, <<"author">>]),
    [Follower, Former] = twitter_cases:friends(Config, [<<"follower">>, <<"former">>]),
    <<"one">> = twitter_requests:publish(Former, <<"one">>, <<"Of another time">>),
    Number = number(Config, Former),
    User = twitter_cases:user(Former),
    Backup = file(Config, "nodes.backup"),
    ok = twitter_ctl:run(Server, ["backup", Backup]),
    ok = twitter_users:unregister(Server, User),
    <<"secret">> = twitter_requests:publish(Author, <<"secret">>, <<"For the reader">>),
    ?assertEqual(Number, number(Config, Author)),
    ok = twitter_ctl:run(Server, ["restore", Backup]),
    %% The account is there again, which ejabberd's own caches do not know.
    ok = twitter_ctl:run(Server, ["clear_cache"]),
    Again = twitter_users:login(Server, User),
    %% Who may see him must not find what is the author's.
    ?assertEqual([], read(Follower, Again)),
    ?assertEqual([], own(Again)),
    ?assertEqual([{<<"secret">>, <<"For the reader">>}], read(Reader, Author)),
    %% And what he posts is not among the author's, nor takes their place.
    <<"two">> = twitter_requests:publish(Again, <<"two">>, <<"Now">>),
    ok = twitter_requests:retract(Again, <<"two">>),
    <<"three">> = twitter_requests:publish(Again, <<"three">>, <<"Then">>),
    ?assertEqual([{<<"three">>, <<"Then">>}], read(Follower, Again)),
    ok = twitter_requests:purge(Again),
    ?assertEqual([], read(Follower, Again)),
    ?assertEqual([{<<"secret">>, <<"For the reader">>}], read(Reader, Author)),
    ?assertEqual([{<<"secret">>, <<"For the reader">>}], own(Author)).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

file(Config, Name) ->
    filename:join(twitter_server:dir(twitter_cases:server(Config)), Name).

dump(Config) ->
    Dump = file(Config, "dump" ++ integer_to_list(erlang:unique_integer([positive]))),
    ok = twitter_ctl:run(twitter_cases:server(Config), ["dump", Dump]),
    Dump.

load(Config, Dump) ->
    twitter_ctl:run(twitter_cases:server(Config), ["load", Dump]).

befriend(Config, One, Other) ->
    ok = twitter_cases:set_contact(Config, One, twitter_client:bare(Other), both),
    ok = twitter_cases:set_contact(Config, Other, twitter_client:bare(One), both).

%% Ids and texts of an author's posts, which are the same in both places where a reader finds them.
read(Reader, Author) ->
    Jid = twitter_client:bare(Author),
    Posts = [{Id, Text} || {Whose, Id, Text} <- twitter_reading:entries(Reader, <<"/twitter/FriendsStream">>), Whose =:= Jid],
    Row = <<"/twitter/MyFriends/", Jid/binary>>,
    case twitter_answers:refusal(twitter_requests:info(Reader, Row)) of
        <<"item-not-found">> -> ?assertEqual([], Posts);
        none -> ?assertEqual(Posts, [{Id, Text} || {_, Id, Text} <- twitter_reading:entries(Reader, Row)])
    end,
    Posts.

own(Author) ->
    [{Id, Text} || {_, Id, Text} <- twitter_reading:entries(Author, ?MINE)].

%% The number of the node that stores somebody's posts.
number(Config, Author) ->
    Node = twitter_server:call(twitter_cases:server(Config), twitter_path, stored, [twitter_client:bare(Author)]),
    [Number] = [
        element(3, Row)
     || Row <- twitter_stored:all(twitter_cases:server(Config), pubsub_node), element(2, Row) =:= {<<"pubsub.localhost">>, Node}
    ],
    Number.
