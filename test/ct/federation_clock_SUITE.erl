%%% Servers that disagree about the time: what the clock of another server says moves nothing that stands already,
%%% and a post "from next year" is not on top for a year.
%%%
%%% The author's server says other times than its clock does: what it sends is changed on its way out.
-module(federation_clock_SUITE).

-include_lib("stdlib/include/assert.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([
    an_hour_ahead/1,
    a_year_ahead/1,
    a_year_behind/1,
    a_clock_that_jumps/1,
    only_the_posts_are_from_next_year/1,
    cursors_stay_good/1,
    edits_keep_their_place/1,
    no_error_was_logged/1
]).
%% In the author's server.
-export([shift/2, stop_shifting/1, filter_packet/1]).

-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(HOUR, 3_600_000_000).
-define(YEAR, (365 * 24 * ?HOUR)).

suite() ->
    [{timetrap, {seconds, 90}}].

all() ->
    [
        an_hour_ahead,
        a_year_ahead,
        a_year_behind,
        a_clock_that_jumps,
        only_the_posts_are_from_next_year,
        cursors_stay_good,
        edits_keep_their_place,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    {ok, _} = application:ensure_all_started(xmpp),
    Started = twitter_federation:start(Config, #{a => #{}, b => #{}}),
    true = twitter_server:call(a(Started), code, add_patha, [filename:dirname(code:which(?MODULE))]),
    Started.

end_per_suite(Config) ->
    twitter_federation:stop(Config).

init_per_testcase(_Case, Config) ->
    Config.

end_per_testcase(_Case, Config) ->
    ok = twitter_server:call(a(Config), ?MODULE, stop_shifting, [[<<"published">>, <<"sent">>]]).

a(Config) ->
    twitter_federation:server(Config, a).

%%% Cases

an_hour_ahead(Config) ->
    in_turn(Config, ?HOUR).

a_year_ahead(Config) ->
    in_turn(Config, ?YEAR).

a_year_behind(Config) ->
    in_turn(Config, -?YEAR).

%% Who reads friends on both servers finds the posts in the order in which they were published, to within the time
%% that they need on their way; here each has come before the next one is published.
in_turn(Config, Shift) ->
    {Alice, Bea, Bob} = people(Config),
    ok = clock(Config, Shift),
    _ = twitter_cable:carried(twitter_federation:cable(Config, a, b)),
    Expected = said_in_turn(Config, Alice, Bea, Bob, [<<"1">>, <<"2">>, <<"3">>]),
    ok = said_at_another_time(Config, Shift),
    ?assertEqual(Expected, twitter_reading:posts(Bob, ?FRIENDS)),
    ?assertEqual(Expected, lists:append(twitter_reading:pages(Bob, ?FRIENDS, {forward, 2}))),
    ?assertEqual(Expected, lists:append(lists:reverse(twitter_reading:pages(Bob, ?FRIENDS, {backward, 2})))).

%% What has come keeps its place, and what comes stands after it.
a_clock_that_jumps(Config) ->
    {Alice, Bea, Bob} = people(Config),
    Expected = lists:append([
        begin
            ok = clock(Config, Shift),
            said_in_turn(Config, Alice, Bea, Bob, [integer_to_binary(Number)])
        end
     || {Number, Shift} <- lists:enumerate([0, ?HOUR, -?HOUR, ?YEAR, 0, -?YEAR])
    ]),
    ?assertEqual(Expected, twitter_reading:posts(Bob, ?FRIENDS)).

%% The server's clock is right, and it says that posts are of next year: they stand where they came.
only_the_posts_are_from_next_year(Config) ->
    {Alice, Bea, Bob} = people(Config),
    ok = shifted(Config, [<<"published">>], ?YEAR),
    Expected = said_in_turn(Config, Alice, Bea, Bob, [<<"1">>, <<"2">>]),
    ?assertEqual(Expected, twitter_reading:posts(Bob, ?FRIENDS)),
    %% Whoever comes from storage finds the same.
    ok = twitter_server:restart(twitter_federation:server(Config, b)),
    Again = twitter_federation:login(Config, twitter_cases:user(Bob)),
    ?assertEqual(Expected, twitter_reading:posts(Again, ?FRIENDS)).

cursors_stay_good(Config) ->
    {Alice, Bea, Bob} = people(Config),
    First = said_in_turn(Config, Alice, Bea, Bob, [<<"1">>, <<"2">>]),
    {FirstTwo, #{last := Cursor}} = twitter_reading:page(Bob, ?FRIENDS, #{max => 2}),
    ok = clock(Config, ?YEAR),
    More = said_in_turn(Config, Alice, Bea, Bob, [<<"3">>]),
    ok = clock(Config, -?YEAR),
    Last = said_in_turn(Config, Alice, Bea, Bob, [<<"4">>]),
    {Rest, _} = twitter_reading:page(Bob, ?FRIENDS, #{max => 50, 'after' => Cursor}),
    ?assertEqual(First ++ More ++ Last, FirstTwo ++ Rest).

edits_keep_their_place(Config) ->
    {Alice, Bea, Bob} = people(Config),
    Expected = said_in_turn(Config, Alice, Bea, Bob, [<<"1">>, <<"2">>]),
    ok = clock(Config, ?YEAR),
    <<"1">> = twitter_requests:publish(Alice, <<"1">>, <<"Edited">>),
    ok = twitter_federation:settle(Config, a, Bob),
    ?assertEqual(Expected, twitter_reading:posts(Bob, ?FRIENDS)),
    ?assert(lists:member({twitter_client:bare(Alice), <<"1">>, <<"Edited">>}, twitter_reading:entries(Bob, ?FRIENDS))).

no_error_was_logged(Config) ->
    [ok = twitter_cases:no_error_was_logged([{server, twitter_federation:server(Config, Name)}]) || Name <- [a, b]],
    ok.

%%% Helpers

%% Alice is elsewhere, Bea where Bob is.
people(Config) ->
    [Alice, Bea, Bob] = [twitter_federation:login(Config, twitter_federation:user(Config, Name, User))
                         || {Name, User} <- [{a, <<"alice">>}, {b, <<"bea">>}, {b, <<"bob">>}]],
    [ok = twitter_federation:befriend(Config, twitter_cases:user(Bob), twitter_cases:user(Friend)) || Friend <- [Alice, Bea]],
    {Alice, Bea, Bob}.

said_in_turn(Config, Alice, Bea, Bob, Ids) ->
    [
        begin
            Id = twitter_requests:publish(Author, Id, <<"Post">>),
            ok = twitter_federation:settle(Config, a, Bob),
            {twitter_client:bare(Author), Id}
        end
     || Id <- Ids, Author <- [Alice, Bea]
    ].

%% Or nothing would be proved: that is what went over the wire.
said_at_another_time(Config, Shift) ->
    Relays = [Relay || #xmlel{name = <<"iq">>, children = [#xmlel{name = <<"relay">>} = Relay]}
                           <- twitter_cable:carried(twitter_federation:cable(Config, a, b))],
    Texts = lists:append([
        [fxml:get_tag_attr_s(<<"sent">>, Relay)
         | [fxml:get_tag_attr_s(<<"published">>, Item) || #xmlel{name = <<"item">>} = Item <- Relay#xmlel.children]]
     || Relay <- Relays
    ]),
    ?assert(length(Texts) >= 6),
    Now = erlang:system_time(microsecond),
    [?assert(abs(micros(xmpp_util:decode_timestamp(Text)) - Now - Shift) < 60_000_000) || Text <- Texts],
    ok.

%% The whole clock of the author's server.
clock(Config, Shift) ->
    shifted(Config, [<<"published">>, <<"sent">>], Shift).

shifted(Config, Names, Shift) ->
    twitter_server:call(a(Config), ?MODULE, shift, [Names, Shift]).

%%% In the author's server

%% @private
-spec shift([binary()], integer()) -> ok.
shift(Names, Shift) ->
    ok = stop_shifting(Names),
    ok = persistent_term:put(?MODULE, {Names, Shift}),
    ejabberd_hooks:add(filter_packet, ?MODULE, filter_packet, 50).

%% @private
-spec stop_shifting([binary()]) -> ok.
stop_shifting(_Names) ->
    _ = persistent_term:erase(?MODULE),
    ejabberd_hooks:delete(filter_packet, ?MODULE, filter_packet, 50).

%% @private
-spec filter_packet(stanza() | drop) -> stanza() | drop.
filter_packet(#iq{type = set, sub_els = [#xmlel{name = <<"relay">>} = Relay]} = Iq) ->
    Iq#iq{sub_els = [shifted(Relay)]};
filter_packet(Stanza) ->
    Stanza.

shifted(#xmlel{attrs = Attrs, children = Children} = Element) ->
    {Names, Shift} = persistent_term:get(?MODULE, {[], 0}),
    Shifted = [case lists:member(Name, Names) of
                   true -> {Name, xmpp_util:encode_timestamp(moved(xmpp_util:decode_timestamp(Value), Shift))};
                   false -> {Name, Value}
               end || {Name, Value} <- Attrs],
    Element#xmlel{attrs = Shifted, children = [child(Child) || Child <- Children]}.

%% What is in an item is its author's.
child(#xmlel{name = <<"item">>, children = Payload} = Item) ->
    (shifted(Item#xmlel{children = []}))#xmlel{children = Payload};
child(Child) ->
    Child.

micros({Mega, Seconds, Micros}) ->
    (Mega * 1_000_000 + Seconds) * 1_000_000 + Micros.

moved(Moment, Shift) ->
    All = micros(Moment) + Shift,
    {All div 1_000_000_000_000, All div 1_000_000 rem 1_000_000, All rem 1_000_000}.
