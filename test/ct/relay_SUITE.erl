%%% Posts on their way to another server that takes relays: one stanza for all contacts there, and for whom it is.
%%% That server is played (twitter_played), so that it can answer in any way.
-module(relay_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([
    one_stanza_for_a_whole_server/1,
    readers_are_told_when_they_change/1,
    who_is_blocked_is_no_reader/1,
    who_has_no_right_is_no_reader/1,
    nobody_is_left/1,
    nobody_was_there/1,
    edits_and_retractions/1,
    a_purge/1,
    a_long_list_of_readers/1,
    an_account_is_deleted/1,
    some_were_missed/1,
    all_were_missed/1,
    what_is_refused_is_left_out/1,
    too_fast/1,
    answers_without_sense/1,
    who_does_not_speak_for_the_author/1,
    no_relay_any_more/1,
    rights_of_the_moment/1,
    no_error_was_logged/1
]).

-define(HOST, <<"pubsub.localhost">>).
-define(MINE, <<"/twitter/MyStream">>).
-define(NS, <<"urn:ejabberd:twitter:relay:0">>).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [
        one_stanza_for_a_whole_server,
        readers_are_told_when_they_change,
        who_is_blocked_is_no_reader,
        who_has_no_right_is_no_reader,
        nobody_is_left,
        nobody_was_there,
        edits_and_retractions,
        a_purge,
        a_long_list_of_readers,
        an_account_is_deleted,
        some_were_missed,
        all_were_missed,
        what_is_refused_is_left_out,
        too_fast,
        answers_without_sense,
        who_does_not_speak_for_the_author,
        no_relay_any_more,
        rights_of_the_moment,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%% Another server for each, as what is found out of one is remembered.
init_per_testcase(no_error_was_logged, Config) ->
    Config;
init_per_testcase(Case, Config) ->
    Domain = <<(binary:replace(atom_to_binary(Case), <<"_">>, <<"-">>, [global]))/binary, ".test">>,
    Options = #{services => [{pubsub(Domain), [?NS]}]},
    Elsewhere = twitter_played:start(twitter_cases:server(Config), Domain, Options),
    [{elsewhere, Elsewhere}, {domain, Domain} | Config].

end_per_testcase(no_error_was_logged, _Config) ->
    ok;
end_per_testcase(_Case, Config) ->
    twitter_played:stop(elsewhere(Config)).

%%% To whom

one_stanza_for_a_whole_server(Config) ->
    Alice = author(Config, [{<<"bob">>, both}, {<<"carol">>, from}, {<<"dave">>, both}]),
    Id = twitter_requests:publish(Alice, <<"Demoing my Twitter-like code">>),
    %% It is not known there for whom that is.
    First = next(Config),
    {Digest, [Bob, Carol, Dave]} = audience(Config, next(Config)),
    [<<"bob">>, <<"carol">>, <<"dave">>] = names([Bob, Carol, Dave]),
    #{audience := Digest, changes := [Item], quiet := false} = Relay = relay(Config, next(Config)),
    ?assertEqual(Relay, (relay(Config, First))#{sent := maps:get(sent, Relay)}),
    ?assertEqual(twitter_client:bare(Alice), maps:get(author, Relay)),
    ?assertNot(is_map_key('after', Relay)),
    {item, Id, Published, Published, Payload} = Item,
    [{xmlcdata, <<"Demoing my Twitter-like code">>}] = twitter_post:unwrap(Payload),
    ?assertEqual(?HOST, fxml:get_tag_attr_s(<<"from">>, First)),
    ?assertEqual(pubsub(domain(Config)), fxml:get_tag_attr_s(<<"to">>, First)),
    true = is_quiet(Config),
    %% From now on it is.
    Second = twitter_requests:publish(Alice, <<"Again">>),
    #{audience := Digest, 'after' := Published, changes := [{item, Second, _, _, _}]} = relay(Config, next(Config)),
    true = is_quiet(Config),
    %% What the author or anybody is told of a server is asked once.
    [_ | _] = Questions = twitter_played:questions(elsewhere(Config)),
    3 = length(Questions).

readers_are_told_when_they_change(Config) ->
    Alice = author(Config, [{<<"bob">>, both}, {<<"carol">>, both}]),
    [<<"bob">>, <<"carol">>] = said_to(Config, Alice),
    same = said_to(Config, Alice),
    ok = twitter_users:remove_contact(server(Config), twitter_cases:user(Alice), {<<"carol">>, domain(Config)}),
    [<<"bob">>] = said_to(Config, Alice),
    ok = contact(Config, Alice, <<"dave">>, from),
    [<<"bob">>, <<"dave">>] = said_to(Config, Alice),
    ok = contact(Config, Alice, <<"bob">>, to),
    [<<"dave">>] = said_to(Config, Alice),
    same = said_to(Config, Alice).

who_is_blocked_is_no_reader(Config) ->
    Alice = author(Config, [{<<"bob">>, both}, {<<"carol">>, both}]),
    [<<"bob">>, <<"carol">>] = said_to(Config, Alice),
    ok = twitter_users:block(Alice, jid(Config, <<"bob">>)),
    [<<"carol">>] = said_to(Config, Alice),
    ok = twitter_users:unblock(Alice, jid(Config, <<"bob">>)),
    [<<"bob">>, <<"carol">>] = said_to(Config, Alice).

who_has_no_right_is_no_reader(Config) ->
    Alice = author(Config, [{<<"bob">>, both}, {<<"to">>, to}, {<<"none">>, none}]),
    [<<"bob">>] = said_to(Config, Alice),
    %% A server where nobody is to read hears nothing at all.
    Mallory = author(Config, [{<<"bob">>, to}, {<<"carol">>, none}]),
    _ = twitter_requests:publish(Mallory, <<"Not for you">>),
    true = is_quiet(Config).

%% The server is told once that there is nobody, and gets nothing but what was retracted.
nobody_is_left(Config) ->
    [
        begin
            Alice = author(Config, [{<<"bob">>, both}]),
            Old = twitter_requests:publish(Alice, <<"Old">>),
            [_, _, _] = [next(Config) || _ <- [unknown, audience, relay]],
            ok = Lose(Alice),
            _ = twitter_requests:publish(Alice, <<"Secret">>),
            #{changes := []} = relay(Config, next(Config)),
            {_, []} = audience(Config, next(Config)),
            #{changes := [], quiet := true} = relay(Config, next(Config)),
            true = is_quiet(Config),
            _ = twitter_requests:publish(Alice, <<"Secret">>),
            true = is_quiet(Config),
            ok = twitter_requests:retract(Alice, Old),
            #{changes := [{retract, Old, _}]} = relay(Config, next(Config)),
            true = is_quiet(Config)
        end
     || Lose <- [
            fun(Alice) -> twitter_users:block(Alice, jid(Config, <<"bob">>)) end,
            fun(Alice) -> twitter_users:block(Alice, domain(Config)) end,
            fun(Alice) ->
                twitter_users:remove_contact(server(Config), twitter_cases:user(Alice), {<<"bob">>, domain(Config)})
            end,
            fun(Alice) -> contact(Config, Alice, <<"bob">>, to) end
        ]
    ].

%% Blocked before anything was sent: no text leaves the server.
nobody_was_there(Config) ->
    Alice = author(Config, [{<<"bob">>, both}]),
    ok = twitter_users:block(Alice, jid(Config, <<"bob">>)),
    _ = twitter_requests:publish(Alice, <<"Secret">>),
    #{changes := []} = relay(Config, next(Config)),
    {_, []} = audience(Config, next(Config)),
    #{changes := []} = relay(Config, next(Config)),
    true = is_quiet(Config).

%% The list of those whom a post is for is made when it is sent.
rights_of_the_moment(Config) ->
    Alice = author(Config, [{<<"bob">>, both}, {<<"carol">>, both}]),
    [<<"bob">>, <<"carol">>] = said_to(Config, Alice),
    ok = twitter_played:answer(elsewhere(Config), [{error, 'resource-constraint'}]),
    Id = twitter_requests:publish(Alice, <<"Later">>),
    #{changes := [{item, Id, _, _, _}]} = relay(Config, next(Config)),
    ok = contact(Config, Alice, <<"carol">>, none),
    Gone = twitter_requests:publish(Alice, <<"Deleted meanwhile">>),
    ok = twitter_requests:retract(Alice, Gone),
    #{changes := [{item, Id, _, _, _}]} = relay(Config, next(Config)),
    {_, [Bob]} = audience(Config, next(Config)),
    [<<"bob">>] = names([Bob]),
    #{changes := [{item, Id, _, _, _}]} = relay(Config, next(Config)),
    #{changes := [{retract, Gone, _}]} = relay(Config, next(Config)),
    true = is_quiet(Config).

a_long_list_of_readers(Config) ->
    Names = lists:sort([<<"r", (integer_to_binary(N))/binary>> || N <- lists:seq(1, 1201)]),
    Alice = author(Config, [{Name, both} || Name <- Names]),
    _ = twitter_requests:publish(Alice, <<"To many">>),
    #{audience := Digest} = relay(Config, next(Config)),
    true = settled(Config),
    Came = twitter_played:all(elsewhere(Config)),
    Parts = [audience(Config, Part) || Part <- lists:droplast(Came)],
    ?assert(length(Parts) >= 3),
    [Digest] = lists:usort([Part || {Part, _} <- Parts]),
    ?assertEqual(Names, lists:sort(names(lists:append([Readers || {_, Readers} <- Parts])))),
    #{audience := Digest} = relay(Config, lists:last(Came)).

%%% What

edits_and_retractions(Config) ->
    Alice = author(Config, [{<<"bob">>, both}]),
    Id = twitter_requests:publish(Alice, <<"One">>),
    [_, _] = [next(Config) || _ <- [unknown, audience]],
    #{changes := [{item, Id, Published, Published, _}]} = relay(Config, next(Config)),
    Id = twitter_requests:publish(Alice, Id, <<"Two">>),
    #{'after' := Published, changes := [{item, Id, Published, Edited, _}]} = relay(Config, next(Config)),
    ?assert(Edited > Published),
    ok = twitter_requests:retract(Alice, Id),
    #{'after' := Edited, changes := [{retract, Id, Retracted}]} = relay(Config, next(Config)),
    ?assert(Retracted > Edited),
    %% The id is used again.
    Id = twitter_requests:publish(Alice, Id, <<"Three">>),
    #{'after' := Retracted, changes := [{item, Id, Anew, Anew, _}]} = relay(Config, next(Config)),
    ?assert(Anew > Retracted),
    true = is_quiet(Config).

a_purge(Config) ->
    Alice = author(Config, [{<<"bob">>, both}]),
    Ids = [twitter_requests:publish(Alice, integer_to_binary(N)) || N <- lists:seq(1, 5)],
    true = settled(Config),
    _ = twitter_played:all(elsewhere(Config)),
    ok = twitter_requests:purge(Alice),
    true = settled(Config),
    Gone = [Id || Stanza <- twitter_played:all(elsewhere(Config)), {retract, Id, _} <- maps:get(changes, relay(Config, Stanza))],
    ?assertEqual(lists:sort(Ids), lists:sort(Gone)).

%% Somebody else may have that name soon.
an_account_is_deleted(Config) ->
    Alice = author(Config, [{<<"bob">>, both}]),
    _ = twitter_requests:publish(Alice, <<"One">>),
    [_, _, _] = [next(Config) || _ <- [unknown, audience, relay]],
    User = twitter_cases:user(Alice),
    ok = twitter_users:unregister(server(Config), User),
    true = settled(Config),
    Relays = [relay(Config, Stanza) || Stanza <- twitter_played:all(elsewhere(Config)), is_relay(Stanza)],
    %% And maybe, before that, that he has no reader there any more.
    [[{purge, _}]] = lists:usort([Changes || #{changes := [_ | _] = Changes} <- Relays]),
    true = is_quiet(Config).

%%% What is missing there

some_were_missed(Config) ->
    Alice = author(Config, [{<<"bob">>, both}]),
    [First, _, _] = [twitter_requests:publish(Alice, Text) || Text <- [<<"1">>, <<"2">>, <<"3">>]],
    true = settled(Config),
    [Since] = lists:usort([V || Stanza <- twitter_played:all(elsewhere(Config)), is_relay(Stanza),
                                {item, Id, _, V, _} <- maps:get(changes, relay(Config, Stanza)), Id =:= First]),
    ok = twitter_played:answer(elsewhere(Config), [{missed, Since}]),
    Fourth = twitter_requests:publish(Alice, <<"4">>),
    #{quiet := false, changes := [{item, Fourth, _, _, _}]} = relay(Config, next(Config)),
    #{quiet := true, changes := Missed} = Again = relay(Config, next(Config)),
    [<<"2">>, <<"3">>] = texts(Missed),
    ?assertNot(is_map_key('after', Again)),
    true = is_quiet(Config).

all_were_missed(Config) ->
    Alice = author(Config, []),
    [twitter_requests:publish(Alice, integer_to_binary(N)) || N <- lists:seq(1, 60)],
    true = is_quiet(Config),
    ok = contact(Config, Alice, <<"bob">>, both),
    ok = twitter_played:answer(elsewhere(Config), [{missed, none}]),
    _ = twitter_requests:publish(Alice, <<"61">>),
    #{quiet := false} = relay(Config, next(Config)),
    true = settled(Config),
    Quiet = [relay(Config, Stanza) || Stanza <- twitter_played:all(elsewhere(Config)), is_relay(Stanza)],
    ?assertEqual(
        [integer_to_binary(N) || N <- lists:seq(11, 60)],
        texts(lists:append([Changes || #{quiet := true, changes := Changes} <- [lists:last(Quiet)]]))
    ).

%%% Answers of all kinds

what_is_refused_is_left_out(Config) ->
    Alice = author(Config, [{<<"bob">>, both}]),
    [<<"bob">>] = said_to(Config, Alice),
    ok = twitter_played:answer(elsewhere(Config), [{error, 'not-acceptable'}]),
    _ = twitter_requests:publish(Alice, <<"Refused">>),
    #{changes := [_]} = relay(Config, next(Config)),
    true = is_quiet(Config),
    same = said_to(Config, Alice).

too_fast(Config) ->
    Alice = author(Config, [{<<"bob">>, both}]),
    [<<"bob">>] = said_to(Config, Alice),
    ok = twitter_played:answer(elsewhere(Config), [{error, 'resource-constraint'}, {error, 'internal-server-error'}]),
    Id = twitter_requests:publish(Alice, <<"Later">>),
    Relays = [relay(Config, next(Config)) || _ <- [1, 2, 3]],
    [[{item, Id, _, _, _}]] = lists:usort([Changes || #{changes := Changes} <- Relays]),
    [First, Second, Third] = [Sent || #{sent := Sent} <- Relays],
    ?assert(Second - First >= 900_000),
    ?assert(Third - Second >= 1_800_000),
    true = is_quiet(Config).

answers_without_sense(Config) ->
    Alice = author(Config, [{<<"bob">>, both}]),
    Bob = author(Config, [{<<"bob">>, both}]),
    [<<"bob">>] = said_to(Config, Alice),
    [<<"bob">>] = said_to(Config, Bob),
    Senseless = [{error, 'bad-request'}, {error, conflict}, {error, gone}],
    #{dropped := Before} = counters(Config),
    ok = twitter_played:answer(elsewhere(Config), lists:sublist(Senseless, 1)),
    Id = twitter_requests:publish(Alice, <<"Unlucky">>),
    #{changes := [{item, Id, _, _, _}]} = relay(Config, next(Config)),
    %% Nobody else waits.
    same = said_to(Config, Bob),
    ok = twitter_played:answer(elsewhere(Config), tl(Senseless)),
    [#{changes := [{item, Id, _, _, _}]} = relay(Config, next(Config)) || _ <- [2, 3]],
    true = is_quiet(Config),
    #{dropped := Dropped} = counters(Config),
    1 = Dropped - Before,
    same = said_to(Config, Alice).

who_does_not_speak_for_the_author(Config) ->
    singles_after(Config, {error, forbidden}).

%% It may be about to start or to stop: only the fourth time it is believed.
no_relay_any_more(Config) ->
    singles_after(Config, {error, 'service-unavailable'}, 4).

singles_after(Config, Reply) ->
    singles_after(Config, Reply, 1).

singles_after(Config, Reply, Times) ->
    Alice = author(Config, [{<<"bob">>, both}, {<<"carol">>, from}, {<<"dave">>, to}]),
    ok = twitter_played:answer(elsewhere(Config), lists:duplicate(Times, Reply)),
    Id = twitter_requests:publish(Alice, <<"Hello">>),
    [#{changes := [{item, Id, _, _, _}]} = relay(Config, next(Config)) || _ <- lists:seq(1, Times)],
    [Bob, Carol] = [jid(Config, Name) || Name <- [<<"bob">>, <<"carol">>]],
    [Bob, Carol] = [fxml:get_tag_attr_s(<<"to">>, next(Config)) || _ <- [1, 2]],
    true = is_quiet(Config),
    _ = twitter_requests:publish(Alice, <<"Again">>),
    [#xmlel{name = <<"message">>}, #xmlel{name = <<"message">>}] = [next(Config) || _ <- [1, 2]],
    true = is_quiet(Config).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

server(Config) -> twitter_cases:server(Config).

elsewhere(Config) -> proplists:get_value(elsewhere, Config).

domain(Config) -> proplists:get_value(domain, Config).

pubsub(Domain) -> <<"pubsub.", Domain/binary>>.

jid(Config, Name) -> <<Name/binary, "@", (domain(Config))/binary>>.

next(Config) -> twitter_played:next(elsewhere(Config)).

is_quiet(Config) -> twitter_played:is_quiet(elsewhere(Config)).

settled(Config) -> ok =:= twitter_server:settle(server(Config), ?HOST).

counters(Config) -> twitter_server:call(server(Config), twitter_flow, counters, [<<"localhost">>]).

author(Config, Contacts) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    [ok = contact(Config, Alice, Name, Subscription) || {Name, Subscription} <- Contacts],
    Alice.

contact(Config, Author, Name, Subscription) ->
    twitter_users:set_contact(server(Config), twitter_cases:user(Author), {Name, domain(Config)}, Subscription).

%% Publishes, and returns to whom the server is told that it is; `same' if it is not told anew.
said_to(Config, Author) ->
    Id = twitter_requests:publish(Author, <<"To whom?">>),
    true = settled(Config),
    Came = twitter_played:all(elsewhere(Config)),
    #{changes := [{item, Id, _, _, _}], audience := Digest} = relay(Config, lists:last(Came)),
    case [audience(Config, Stanza) || Stanza <- Came, not is_relay(Stanza)] of
        [] ->
            [_] = Came,
            same;
        [{Digest, Readers}] ->
            [_, _, _] = Came,
            names(Readers)
    end.

relay(Config, #xmlel{name = <<"iq">>} = Stanza) ->
    {relay, Relay} = decode(Config, Stanza),
    Relay.

is_relay(Stanza) ->
    (child(Stanza))#xmlel.name =:= <<"relay">>.

audience(Config, #xmlel{name = <<"iq">>} = Stanza) ->
    {audience, #{digest := Digest, readers := Readers}} = decode(Config, Stanza),
    {Digest, Readers}.

%% Addresses are prepared by a library of the server.
decode(Config, Stanza) ->
    twitter_server:call(server(Config), twitter_relay, decode, [child(Stanza)]).

child(#xmlel{children = Children}) ->
    [El] = [El || #xmlel{} = El <- Children],
    El.

names(Readers) ->
    [hd(binary:split(Reader, <<"@">>)) || Reader <- Readers].

texts(Changes) ->
    [Text || {item, _, _, _, Payload} <- Changes, {xmlcdata, Text} <- twitter_post:unwrap(Payload)].
