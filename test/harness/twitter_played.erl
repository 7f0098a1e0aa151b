%%% Another server, as far as the one under test can tell: a process there to which ejabberd routes all that goes
%%% to a domain and to its services. It answers what a test has told it to, and keeps what came.
%%%
%%% By itself it answers service discovery by what it was started with; as a service with relays, it records
%%% relays to audiences that it was told of, as the plugin does.
-module(twitter_played).
-behaviour(gen_server).

-include_lib("xmpp/include/xmpp.hrl").

-export([start/3, stop/1, next/1, next/2, all/1, is_quiet/1, answer/2, say/2, change/2, questions/1]).
-export([begin_there/2, call_there/2]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).
-export_type([elsewhere/0, options/0, reply/0]).

-type elsewhere() :: {twitter_server:server(), Domain :: binary()}.
-type options() :: #{
    %% What is listed: services with their features, forms, or how they answer.
    services => [{Service :: binary(), Features :: [binary()]}],
    %% Features and forms of the domain itself.
    features => [binary()],
    forms => #{Service :: binary() => [#xdata{}]},
    %% More rows of the list, as they are.
    items => [#disco_item{}],
    %% Questions of service discovery that get no answer, or an error.
    silent => [Whom :: binary()],
    refusing => #{Whom :: binary() => atom()},
    %% What is answered to questions in the place of anything else.
    raw => #{Whom :: binary() => #xmlel{}},
    %% Who answers in the place of who was asked.
    answers_as => #jid{},
    %% So many pings more are answered; all, if this is not given.
    pings => non_neg_integer(),
    %% So many messages to services are taken, the others come back.
    refusing_after => non_neg_integer(),
    %% Whether ejabberd cannot reach it.
    down => boolean(),
    %% Whether nothing is answered at all.
    dead => boolean()
}.
%% What comes of the next relays and lists of readers; later ones are recorded.
-type reply() ::
    recorded | {missed, non_neg_integer() | none} | unknown_audience | silence | {error, Condition :: atom()}.

-record(state, {
    domain :: binary(),
    options :: options(),
    replies = [] :: [reply()],
    %% Messages, and what is to be changed, oldest first.
    came = queue:new() :: queue:queue(#xmlel{}),
    questions = [] :: [{What :: atom(), Whom :: binary()}],
    parts = #{} :: map(),
    audiences = #{} :: map(),
    waiting = none :: none | gen_server:from()
}).

-define(TIMEOUT, 10_000).

%%% For tests

-spec start(twitter_server:server(), Domain :: binary(), options()) -> elsewhere().
start(Server, Domain, Options) ->
    true = twitter_server:call(Server, code, add_patha, [filename:dirname(code:which(?MODULE))]),
    ok = twitter_server:call(Server, ?MODULE, begin_there, [Domain, Options]),
    {Server, Domain}.

-spec stop(elsewhere()) -> ok.
stop({Server, _} = Elsewhere) ->
    ok = call(Elsewhere, stop),
    ok = twitter_server:call(Server, twitter_peer, forget, [element(2, Elsewhere)]).

%% @doc The next stanza that came, but for questions and presence; as XML.
-spec next(elsewhere()) -> #xmlel{}.
next(Elsewhere) ->
    next(Elsewhere, ?TIMEOUT).

-spec next(elsewhere(), timeout()) -> #xmlel{} | none.
next(Elsewhere, Timeout) ->
    call(Elsewhere, {next, Timeout}).

%% @doc All that has come and was not taken.
-spec all(elsewhere()) -> [#xmlel{}].
all(Elsewhere) ->
    call(Elsewhere, all).

%% @doc Whether nothing has come, when all has been sent that can be.
-spec is_quiet(elsewhere()) -> boolean().
is_quiet({Server, _} = Elsewhere) ->
    ok = twitter_server:settle(Server, <<"pubsub.", (hd(twitter_server:hosts(Server)))/binary>>),
    all(Elsewhere) =:= [].

%% @doc How the next relays and lists are answered.
-spec answer(elsewhere(), [reply()]) -> ok.
answer(Elsewhere, Replies) ->
    call(Elsewhere, {answer, Replies}).

%% @doc Sends a stanza from there.
-spec say(elsewhere(), stanza()) -> ok.
say({Server, _}, Stanza) ->
    twitter_server:call(Server, ejabberd_router, route, [Stanza]).

%% @doc Other options, from now on.
-spec change(elsewhere(), options()) -> ok.
change(Elsewhere, Options) ->
    call(Elsewhere, {change, Options}).

%% @doc What was asked since this was called before: service discovery and pings.
-spec questions(elsewhere()) -> [{items | info | ping, Whom :: binary()} | {down, get | set}].
questions(Elsewhere) ->
    call(Elsewhere, questions).

call({Server, Domain}, Request) ->
    twitter_server:call(Server, ?MODULE, call_there, [Domain, Request], ?TIMEOUT + 20_000).

%%% In the server under test

-spec begin_there(binary(), options()) -> ok.
begin_there(Domain, Options) ->
    {ok, _} = gen_server:start({global, {?MODULE, Domain}}, ?MODULE, {Domain, Options}, []),
    ok.

-spec call_there(binary(), term()) -> term().
call_there(Domain, Request) ->
    gen_server:call({global, {?MODULE, Domain}}, Request, infinity).

-spec init({binary(), options()}) -> {ok, #state{}}.
init({Domain, Options}) ->
    lists:foreach(
        fun(Route) -> ok = ejabberd_router:register_route(Route, hd(ejabberd_option:hosts())) end, routes(Domain, Options)
    ),
    {ok, #state{domain = Domain, options = Options}}.

routes(Domain, Options) ->
    [Domain | [Service || {Service, _} <- maps:get(services, Options, []), Service =/= Domain]].

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, term(), #state{}} | {noreply, #state{}} | {stop, normal, ok, #state{}}.
handle_call({next, Timeout}, From, #state{came = Came} = State) ->
    case queue:out(Came) of
        {{value, Stanza}, Left} ->
            {reply, Stanza, State#state{came = Left}};
        {empty, _} ->
            _ = erlang:send_after(Timeout, self(), {late, From}),
            {noreply, State#state{waiting = From}}
    end;
handle_call(all, _From, #state{came = Came} = State) ->
    {reply, queue:to_list(Came), State#state{came = queue:new()}};
handle_call({answer, Replies}, _From, State) ->
    {reply, ok, State#state{replies = Replies}};
handle_call({change, Changes}, _From, #state{options = Options} = State) ->
    {reply, ok, State#state{options = maps:merge(Options, Changes)}};
handle_call(questions, _From, #state{questions = Questions} = State) ->
    {reply, lists:reverse(Questions), State#state{questions = []}};
handle_call(stop, _From, State) ->
    {stop, normal, ok, State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Message, State) ->
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}}.
handle_info({route, #iq{type = Type} = IQ}, #state{options = #{down := true}} = State) when Type =:= get; Type =:= set ->
    #state{questions = Questions} = State,
    ok = ejabberd_router:route(xmpp:make_error(IQ, failure('remote-server-timeout'))),
    {noreply, State#state{questions = [{down, Type} | Questions]}};
handle_info({late, From}, #state{waiting = From} = State) ->
    gen_server:reply(From, none),
    {noreply, State#state{waiting = none}};
handle_info({route, #iq{type = get, to = #jid{lserver = Whom}} = IQ}, #state{questions = Questions} = State) ->
    {What, Answer} = found(xmpp:decode_els(IQ), Whom, State),
    _ = [ejabberd_router:route(Answer) || Answer =/= silence, not is_dead(State)],
    {noreply, counted(What, State#state{questions = [{What, Whom} | Questions]})};
handle_info({route, #iq{type = set, sub_els = [El]} = IQ}, State) ->
    {Reply, Next} = reply(twitter_relay:decode(El), State),
    _ = [ejabberd_router:route(Answer) || Answer <- answers(IQ, Reply), not is_dead(State)],
    {noreply, came(IQ, Next)};
handle_info({route, #message{to = #jid{luser = <<>>}} = Message}, #state{options = #{refusing_after := N}} = State) ->
    #state{options = Options} = State,
    _ = [come_back(Message) || N =:= 0],
    {noreply, came(Message, State#state{options = Options#{refusing_after := max(0, N - 1)}})};
handle_info({route, #message{} = Message}, State) ->
    {noreply, came(Message, State)};
handle_info(_Message, State) ->
    {noreply, State}.

-spec terminate(term(), #state{}) -> ok.
terminate(_Reason, #state{domain = Domain, options = Options}) ->
    lists:foreach(fun ejabberd_router:unregister_route/1, routes(Domain, Options)).

%% As by a connection between servers.
come_back(#message{from = #jid{lserver = Host}} = Message) ->
    Error = xmpp:make_error(Message, xmpp:err_not_acceptable()),
    {#message{}, none} =
        ejabberd_hooks:run_fold(s2s_receive_packet, ejabberd_router:host_of_route(Host), {Error, none}, []).

counted(ping, #state{options = #{pings := Pings} = Options} = State) ->
    State#state{options = Options#{pings := max(0, Pings - 1)}};
counted(_, State) ->
    State.

is_dead(#state{options = Options}) ->
    maps:get(dead, Options, false).

came(Stanza, #state{came = Came, waiting = none} = State) ->
    State#state{came = queue:in(xmpp:encode(Stanza), Came)};
came(Stanza, #state{waiting = From} = State) ->
    gen_server:reply(From, xmpp:encode(Stanza)),
    State#state{waiting = none}.

%%% Answers

found(#iq{sub_els = [#disco_items{}]} = IQ, Whom, #state{domain = Domain, options = Options} = State) ->
    Listed = [#disco_item{jid = jid:make(Service)} || {Service, _} <- maps:get(services, Options, [])],
    Items =
        case Whom of
            Domain -> Listed ++ maps:get(items, Options, []);
            _ -> []
        end,
    {items, shown(IQ, Whom, #disco_items{items = Items}, State)};
found(#iq{sub_els = [#disco_info{}]} = IQ, Whom, #state{domain = Domain, options = Options} = State) ->
    Features = proplists:get_value(
        Whom, maps:get(services, Options, []), maps:get(Whom, #{Domain => maps:get(features, Options, [])}, [])
    ),
    Forms = maps:get(Whom, maps:get(forms, Options, #{}), []),
    {info, shown(IQ, Whom, #disco_info{features = Features, xdata = Forms}, State)};
found(#iq{sub_els = [#ping{}]} = IQ, _Whom, #state{options = Options}) ->
    case Options of
        #{pings := 0} -> {ping, xmpp:make_error(IQ, failure('remote-server-timeout'))};
        _ -> {ping, xmpp:make_iq_result(IQ)}
    end;
found(IQ, _Whom, _State) ->
    {other, xmpp:make_error(IQ, xmpp:err_service_unavailable())}.

shown(IQ, Whom, El, #state{options = Options}) ->
    case {lists:member(Whom, maps:get(silent, Options, [])), maps:get(refusing, Options, #{})} of
        {true, _} -> silence;
        {false, #{Whom := Condition}} -> xmpp:make_error(IQ, failure(Condition));
        {false, _} -> result(IQ, maps:get(Whom, maps:get(raw, Options, #{}), El), Options)
    end.

result(#iq{to = To} = IQ, El, Options) ->
    (xmpp:make_iq_result(IQ, El))#iq{from = maps:get(answers_as, Options, To)}.

reply(_Set, #state{replies = [Reply | Replies]} = State) ->
    {Reply, State#state{replies = Replies}};
reply({relay, #{author := Author, audience := Digest}}, #state{audiences = Audiences} = State) ->
    case Audiences of
        #{Author := Digest} -> {recorded, State};
        #{} -> {unknown_audience, State}
    end;
reply({audience, #{author := Author, digest := Digest, part := Part, 'of' := Of, readers := Readers}}, State) ->
    #state{parts = Parts, audiences = Audiences} = State,
    Known = [Readers | maps:get({Author, Digest}, Parts, [])],
    case Part of
        Of ->
            Digest = twitter_relay:digest(lists:append(Known)),
            {recorded, State#state{
                parts = maps:remove({Author, Digest}, Parts), audiences = Audiences#{Author => Digest}
            }};
        _ ->
            {recorded, State#state{parts = Parts#{{Author, Digest} => Known}}}
    end;
reply(malformed, State) ->
    {{error, 'bad-request'}, State}.

answers(IQ, recorded) -> [xmpp:make_iq_result(IQ)];
answers(IQ, {missed, Since}) -> [(xmpp:make_iq_result(IQ))#iq{sub_els = [twitter_relay:missed(Since)]}];
answers(IQ, unknown_audience) ->
    Error = xmpp:err_item_not_found(),
    [xmpp:make_error(IQ, Error#stanza_error{sub_els = [twitter_relay:unknown_audience()]})];
answers(IQ, {error, Condition}) -> [xmpp:make_error(IQ, failure(Condition))];
answers(_IQ, silence) -> [].

failure(Condition) ->
    #stanza_error{type = cancel, reason = Condition}.
